internal import CMnl

/// The counters of a link since it was created (`struct rtnl_link_stats64`).
public struct LinkCounters: Hashable, Sendable {
    public var rxPackets: UInt64 = 0
    public var txPackets: UInt64 = 0
    public var rxBytes: UInt64 = 0
    public var txBytes: UInt64 = 0
    public var rxErrors: UInt64 = 0
    public var txErrors: UInt64 = 0
    public var rxDropped: UInt64 = 0
    public var txDropped: UInt64 = 0
    public var multicast: UInt64 = 0
    public var collisions: UInt64 = 0
    public var rxLengthErrors: UInt64 = 0
    public var rxOverErrors: UInt64 = 0
    public var rxCRCErrors: UInt64 = 0
    public var rxFrameErrors: UInt64 = 0
    public var rxFIFOErrors: UInt64 = 0
    public var rxMissedErrors: UInt64 = 0
    public var txAbortedErrors: UInt64 = 0
    public var txCarrierErrors: UInt64 = 0
    public var txFIFOErrors: UInt64 = 0
    public var txHeartbeatErrors: UInt64 = 0
    public var txWindowErrors: UInt64 = 0
    public var rxCompressed: UInt64 = 0
    public var txCompressed: UInt64 = 0
    public var rxNoHandler: UInt64 = 0
    public var rxOtherHostDropped: UInt64 = 0

    public init() {}
}

extension LinkCounters {
    /// Reads the kernel's struct, which grew over time: what an older kernel lacks is 0, what a newer one adds is
    /// left out.
    init(_ payload: RawSpan) throws(Malformed) {
        // Up to 4.5 it ended before rx_nohandler.
        guard payload.byteCount >= 23 * MemoryLayout<UInt64>.size else {
            throw Malformed("counters cut short")
        }
        if payload.byteCount >= MemoryLayout<rtnl_link_stats64>.size {
            self.init(try payload.load(rtnl_link_stats64.self))
        } else {
            var stats = rtnl_link_stats64()
            unsafe payload.withUnsafeBytes { bytes in
                unsafe withUnsafeMutableBytes(of: &stats) { unsafe $0.copyBytes(from: bytes) }
            }
            self.init(stats)
        }
    }

    private init(_ stats: rtnl_link_stats64) {
        rxPackets = stats.rx_packets
        txPackets = stats.tx_packets
        rxBytes = stats.rx_bytes
        txBytes = stats.tx_bytes
        rxErrors = stats.rx_errors
        txErrors = stats.tx_errors
        rxDropped = stats.rx_dropped
        txDropped = stats.tx_dropped
        multicast = stats.multicast
        collisions = stats.collisions
        rxLengthErrors = stats.rx_length_errors
        rxOverErrors = stats.rx_over_errors
        rxCRCErrors = stats.rx_crc_errors
        rxFrameErrors = stats.rx_frame_errors
        rxFIFOErrors = stats.rx_fifo_errors
        rxMissedErrors = stats.rx_missed_errors
        txAbortedErrors = stats.tx_aborted_errors
        txCarrierErrors = stats.tx_carrier_errors
        txFIFOErrors = stats.tx_fifo_errors
        txHeartbeatErrors = stats.tx_heartbeat_errors
        txWindowErrors = stats.tx_window_errors
        rxCompressed = stats.rx_compressed
        txCompressed = stats.tx_compressed
        rxNoHandler = stats.rx_nohandler
        rxOtherHostDropped = stats.rx_otherhost_dropped
    }

    func put(_ type: Int, into writer: inout MessageWriter) {
        writer.put(
            type,
            structure: rtnl_link_stats64(
                rx_packets: rxPackets, tx_packets: txPackets, rx_bytes: rxBytes, tx_bytes: txBytes,
                rx_errors: rxErrors, tx_errors: txErrors, rx_dropped: rxDropped, tx_dropped: txDropped,
                multicast: multicast, collisions: collisions, rx_length_errors: rxLengthErrors,
                rx_over_errors: rxOverErrors, rx_crc_errors: rxCRCErrors, rx_frame_errors: rxFrameErrors,
                rx_fifo_errors: rxFIFOErrors, rx_missed_errors: rxMissedErrors,
                tx_aborted_errors: txAbortedErrors, tx_carrier_errors: txCarrierErrors,
                tx_fifo_errors: txFIFOErrors, tx_heartbeat_errors: txHeartbeatErrors,
                tx_window_errors: txWindowErrors, rx_compressed: rxCompressed, tx_compressed: txCompressed,
                rx_nohandler: rxNoHandler, rx_otherhost_dropped: rxOtherHostDropped))
    }
}
