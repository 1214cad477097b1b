internal import CMnl

/// The counters of a link since it was created: those that `struct rtnl_link_stats64` begins with, laid out alike.
/// What follows there splits errors by causes that only hardware has.
public struct LinkCounters: Hashable, Sendable, BitwiseCopyable {
    public var rxPackets: UInt64 = 0
    public var txPackets: UInt64 = 0
    public var rxBytes: UInt64 = 0
    public var txBytes: UInt64 = 0
    public var rxErrors: UInt64 = 0
    public var txErrors: UInt64 = 0
    public var rxDropped: UInt64 = 0
    public var txDropped: UInt64 = 0

    public init() {}
}

extension LinkCounters {
    /// Reads the kernel's struct, which grew over time at its end.
    @inline(__always)
    init(_ payload: RawSpan) throws(Malformed) {
        self = try payload.load(LinkCounters.self)
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
        writer.put(type, structure: stats)
    }
}
