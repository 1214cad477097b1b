internal import CMnl

/// The counters of a link since it was created, of those in `struct rtnl_link_stats64` that virtual links count. The
/// others split errors by causes that only hardware has.
public struct LinkCounters: Hashable, Sendable, BitwiseCopyable {
    public var rxPackets: UInt64 = 0
    public var txPackets: UInt64 = 0
    public var rxBytes: UInt64 = 0
    public var txBytes: UInt64 = 0
    public var rxErrors: UInt64 = 0
    public var txErrors: UInt64 = 0
    public var rxDropped: UInt64 = 0
    public var txDropped: UInt64 = 0
    /// Packets for which there was no way to the remote, or none but into the tunnel itself.
    public var txCarrierErrors: UInt64 = 0

    public init() {}
}

extension LinkCounters {
    /// What the kernel's struct begins with, laid out alike.
    private struct Beginning: BitwiseCopyable {
        let rxPackets, txPackets, rxBytes, txBytes, rxErrors, txErrors, rxDropped, txDropped: UInt64
        // multicast, collisions, and the detailed errors of rx and tx up to aborted.
        let others: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)
        let txCarrierErrors: UInt64
    }

    /// Reads the kernel's struct, which grew over time at its end.
    @inline(__always)
    init(_ payload: RawSpan) throws(Malformed) {
        let stats = try payload.load(Beginning.self)
        rxPackets = stats.rxPackets
        txPackets = stats.txPackets
        rxBytes = stats.rxBytes
        txBytes = stats.txBytes
        rxErrors = stats.rxErrors
        txErrors = stats.txErrors
        rxDropped = stats.rxDropped
        txDropped = stats.txDropped
        txCarrierErrors = stats.txCarrierErrors
    }

    func put(_ type: Int, into writer: inout MessageWriter) {
        var stats = rtnl_link_stats64()
        stats.rx_packets = rxPackets
        stats.tx_packets = txPackets
        stats.rx_bytes = rxBytes
        stats.tx_bytes = txBytes
        stats.rx_errors = rxErrors
        stats.tx_errors = txErrors
        stats.rx_dropped = rxDropped
        stats.tx_dropped = txDropped
        stats.tx_carrier_errors = txCarrierErrors
        writer.put(type, structure: stats)
    }
}
