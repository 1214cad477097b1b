internal import CMnl

/// An IPv4 route, or the kernel's answer to which way a packet would go.
public struct Route: Hashable, Sendable {
    /// Where to; `.any` with a prefix length of 0 is the default route.
    public var destination: IPv4
    /// 0…32.
    public var prefixLength: UInt8
    /// Ifindex of the link that packets leave through (`RTA_OIF`).
    public var interface: UInt32?
    public var gateway: IPv4?
    /// Source address that packets of this host get (`RTA_PREFSRC`).
    public var preferredSource: IPv4?
    /// The lower one wins (`RTA_PRIORITY`); nil is 0.
    public var metric: UInt32?
    public var table: UInt32 = Route.mainTable
    public var proto: RouteProtocol = .static
    public var scope: Scope = .universe
    public var type: RouteType = .unicast
    public var tos: UInt8 = 0
    public var flags: RouteFlags = []
    /// `RTAX_MTU`: the MTU that was set on the route, or learned; nil leaves it to the link's.
    public var mtu: UInt32?
    /// The other metrics (`RTA_METRICS`).
    public var otherMetrics = RawAttributes()
    public var other = RawAttributes()

    public static var mainTable: UInt32 { RT_TABLE_MAIN.rawValue }
    public static var defaultTable: UInt32 { RT_TABLE_DEFAULT.rawValue }
    public static var localTable: UInt32 { RT_TABLE_LOCAL.rawValue }

    public init(_ destination: IPv4, prefixLength: UInt8, interface: UInt32? = nil) {
        self.destination = destination
        self.prefixLength = prefixLength
        self.interface = interface
    }
}

/// Who made a route (`RTPROT_…`, `/etc/iproute2/rt_protos`).
public struct RouteProtocol: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let unspecified = RouteProtocol(rawValue: UInt8(RTPROT_UNSPEC))
    /// The kernel itself, for a link's address.
    public static let kernel = RouteProtocol(rawValue: UInt8(RTPROT_KERNEL))
    /// What `ip route add` says unless told otherwise.
    public static let boot = RouteProtocol(rawValue: UInt8(RTPROT_BOOT))
    public static let `static` = RouteProtocol(rawValue: UInt8(RTPROT_STATIC))
}

/// What becomes of the packets (`RTN_…`).
public struct RouteType: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let unspecified = RouteType(rawValue: UInt8(RTN_UNSPEC))
    public static let unicast = RouteType(rawValue: UInt8(RTN_UNICAST))
    public static let local = RouteType(rawValue: UInt8(RTN_LOCAL))
    public static let broadcast = RouteType(rawValue: UInt8(RTN_BROADCAST))
    public static let blackhole = RouteType(rawValue: UInt8(RTN_BLACKHOLE))
    public static let unreachable = RouteType(rawValue: UInt8(RTN_UNREACHABLE))
    public static let prohibit = RouteType(rawValue: UInt8(RTN_PROHIBIT))
}

/// `rtm_flags`.
public struct RouteFlags: OptionSet, Hashable, Sendable {
    public var rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Its link is gone or down.
    public static let dead = RouteFlags(rawValue: UInt32(RTNH_F_DEAD))
    /// The gateway is taken to be on the link, whatever the addresses say.
    public static let onLink = RouteFlags(rawValue: UInt32(RTNH_F_ONLINK))
    /// Its link has no carrier.
    public static let linkDown = RouteFlags(rawValue: UInt32(RTNH_F_LINKDOWN))
    /// A lookup's answer, not an entry of the table.
    public static let cloned = RouteFlags(rawValue: UInt32(RTM_F_CLONED))
    static let fibMatch = RouteFlags(rawValue: UInt32(RTM_F_FIB_MATCH))
    static let lookUpTable = RouteFlags(rawValue: UInt32(RTM_F_LOOKUP_TABLE))
}
