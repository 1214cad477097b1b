public import Tunnels

/// A link as `GET /v1/links` shows it.
public struct LinkReport: Hashable, Sendable {
    public var ifindex: Int32
    public var name: String
    /// As `ip -d link` names it; nil for hardware.
    public var kind: String?
    public var isUp: Bool
    /// Bytes.
    public var mtu: Int
    /// The tunnel whose link it is.
    public var tunnel: TunnelID?

    public init(ifindex: Int32, name: String, kind: String?, isUp: Bool, mtu: Int, tunnel: TunnelID? = nil) {
        self.ifindex = ifindex
        self.name = name
        self.kind = kind
        self.isUp = isUp
        self.mtu = mtu
        self.tunnel = tunnel
    }
}

/// An IPv4 route as `GET /v1/routes` shows it.
public struct RouteReport: Hashable, Sendable {
    public var to: IPv4Prefix
    /// As `ip route` names it: `unicast`, `blackhole`.
    public var type: String
    public var gateway: IPv4Address?
    /// The link's name.
    public var link: String?
    /// The address that packets of this host get.
    public var source: IPv4Address?
    public var metric: UInt32
    public var table: UInt32
    /// `RTPROT_…`: who made it, as a number.
    public var routeProtocol: UInt8
    /// Made by tunneld.
    public var isOurs: Bool

    public init(
        to: IPv4Prefix, type: String = "unicast", gateway: IPv4Address? = nil, link: String? = nil,
        source: IPv4Address? = nil, metric: UInt32 = 0, table: UInt32 = 254, routeProtocol: UInt8,
        isOurs: Bool = false
    ) {
        self.to = to
        self.type = type
        self.gateway = gateway
        self.link = link
        self.source = source
        self.metric = metric
        self.table = table
        self.routeProtocol = routeProtocol
        self.isOurs = isOurs
    }
}
