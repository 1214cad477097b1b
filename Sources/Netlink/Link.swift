internal import CMnl

/// A network device of the kernel: as it is read, and as it shall be created or changed.
///
/// A field that is nil is not sent, and was not in the answer.
public struct Link: Hashable, Sendable {
    /// The ifindex. 0 in a create lets the kernel choose.
    public var index: UInt32 = 0
    public var name: String?
    public var flags: LinkFlags = []
    public var mtu: UInt32?
    /// Link group; 0 is the default group.
    public var group: UInt32?
    /// `IFLA_IFALIAS`. Kernels ignore it in a create: it needs a `setLink` afterwards.
    public var alias: String?
    /// The device below (`IFLA_LINK`).
    public var link: UInt32?
    /// The bridge or bond that this link belongs to.
    public var master: UInt32?
    public var operationalState: OperationalState?
    public var info: LinkInfo?
    public var counters: LinkCounters?
    /// Where the link shall be created, or moved to. Only sent, never read.
    public var namespace: NamespaceReference?
    /// `ARPHRD_…`: what kind of hardware address the link has.
    public var hardwareType: UInt16 = 0
    public var other = RawAttributes()

    public init(index: UInt32 = 0, name: String? = nil, info: LinkInfo? = nil) {
        self.index = index
        self.name = name
        self.info = info
    }

    /// The driver's name, "ipip"; nil for a physical device.
    public var kind: String? { info?.kind }
    /// What an `ipip` link is set to.
    public var tunnel: IPTunnel? { info?.tunnel }

    /// Whether what it is bound to is in another network namespace (`IFLA_LINK_NETNSID`); a dump doesn't tell.
    public var isBoundElsewhere: Bool { other.types.contains(IFLA_LINK_NETNSID) }

    /// For messages: "tun_a", or "number 7".
    var label: String { name ?? "number \(index)" }
}

/// `ifi_flags` (`IFF_…` in `linux/if.h`).
public struct LinkFlags: OptionSet, Hashable, Sendable {
    public var rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Switched on by the administrator.
    public static let up = LinkFlags(rawValue: UInt32(IFF_UP))
    public static let broadcast = LinkFlags(rawValue: UInt32(IFF_BROADCAST))
    public static let loopback = LinkFlags(rawValue: UInt32(IFF_LOOPBACK))
    public static let pointToPoint = LinkFlags(rawValue: UInt32(IFF_POINTOPOINT))
    /// Up, and able to carry packets.
    public static let running = LinkFlags(rawValue: UInt32(IFF_RUNNING))
    public static let noARP = LinkFlags(rawValue: UInt32(IFF_NOARP))
    /// The carrier is there.
    public static let lowerUp = LinkFlags(rawValue: IFF_LOWER_UP.rawValue)
}

/// `IFLA_OPERSTATE` (RFC 2863).
public struct OperationalState: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    private init(_ state: Int) { rawValue = UInt8(truncatingIfNeeded: state) }

    /// What drivers that don't tell, as `ipip`, leave it at.
    public static let unknown = OperationalState(IF_OPER_UNKNOWN)
    public static let notPresent = OperationalState(IF_OPER_NOTPRESENT)
    public static let down = OperationalState(IF_OPER_DOWN)
    public static let lowerLayerDown = OperationalState(IF_OPER_LOWERLAYERDOWN)
    public static let testing = OperationalState(IF_OPER_TESTING)
    public static let dormant = OperationalState(IF_OPER_DORMANT)
    public static let up = OperationalState(IF_OPER_UP)
}

/// How the link gets IPv6 addresses of its own (`IFLA_INET6_ADDR_GEN_MODE`).
public enum IPv6AddressGeneration: Hashable, Sendable {
    /// `IN6_ADDR_GEN_MODE_NONE`: none at all.
    case off
    /// A link-local one from the hardware address.
    case eui64
}

/// A network namespace, as the kernel takes it in a message.
public enum NamespaceReference: Hashable, Sendable {
    /// That of a process.
    case process(Int32)
    /// An open descriptor of `/proc/…/ns/net` in this process.
    case descriptor(Int32)
}
