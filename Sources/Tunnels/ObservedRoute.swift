/// An IPv4 route as the kernel has it.
public struct ObservedRoute: Hashable, Sendable {
    public var to: IPv4Prefix
    /// The next hop; nil where the destination is on the link itself.
    public var via: IPv4Address?
    /// The link's name; nil for routes without one, as blackholes.
    public var link: String?
    /// The source address that this host's own packets get.
    public var source: IPv4Address?
    public var metric: UInt32
    /// 254 is the main table.
    public var table: UInt32
    /// Who made it, by number (`/etc/iproute2/rt_protos`).
    public var `protocol`: UInt8
    /// Whether a tunnel of ours asked for it.
    public var isManaged: Bool

    public init(
        to: IPv4Prefix, via: IPv4Address? = nil, link: String? = nil, source: IPv4Address? = nil, metric: UInt32,
        table: UInt32, protocol: UInt8, isManaged: Bool
    ) {
        self.to = to
        self.via = via
        self.link = link
        self.source = source
        self.metric = metric
        self.table = table
        self.protocol = `protocol`
        self.isManaged = isManaged
    }
}
