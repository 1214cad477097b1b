internal import CMnl

/// What an `ipip` link is set to (`IFLA_IPTUN_…` in `linux/if_tunnel.h`, `net/ipv4/ipip.c`).
///
/// The kernel takes an attribute that is left out for zero, in a change too; so all are always sent.
public struct IPTunnel: Hashable, Sendable {
    /// The driver's name.
    public static let kind = "ipip"

    /// Outer source; `.any` lets routing choose.
    public var local: IPv4
    /// Outer destination; `.any` takes what no other tunnel matches.
    public var remote: IPv4
    /// Ifindex of the underlay link that the outer packets must leave through; 0 for any.
    public var link: UInt32 = 0
    /// Outer ttl; 0 inherits the inner packet's. With another the kernel switches `pmtudisc` on, and doesn't say.
    public var ttl: UInt8 = 0
    /// Outer tos; 1 inherits the inner packet's.
    public var tos: UInt8 = 0
    /// Whether the outer packet carries "don't fragment".
    public var pmtudisc = true
    public var proto: InnerProtocol = .ipip
    /// Firewall mark of the outer packets, which routing may look at.
    public var fwmark: UInt32 = 0
    public var encapsulation = Encapsulation()
    /// The addresses come with each packet; local and remote are then `.any`.
    public var collectMetadata = false
    /// `IFLA_IPTUN_FLAGS`, which only `sit` links have.
    public var flags: UInt16?
    public var other = RawAttributes()

    public init(local: IPv4, remote: IPv4) {
        self.local = local
        self.remote = remote
    }

    /// What may be inside (`IFLA_IPTUN_PROTO`).
    public struct InnerProtocol: RawRepresentable, Hashable, Sendable {
        public var rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// IPv4 only, as `ip tunnel add … mode ipip` has it.
        public static let ipip = InnerProtocol(rawValue: UInt8(IPPROTO_IPIP))
        /// IPv4 and MPLS.
        public static let any = InnerProtocol(rawValue: 0)
    }

    /// A UDP header around the outer packet (`IFLA_IPTUN_ENCAP_…`).
    public struct Encapsulation: Hashable, Sendable {
        public var type: Kind = .none
        public var flags: Flags = []
        /// UDP ports; a source port of 0 is chosen from the packet's flow.
        public var sourcePort: UInt16 = 0
        public var destinationPort: UInt16 = 0

        public init() {}

        public struct Kind: RawRepresentable, Hashable, Sendable {
            public var rawValue: UInt16
            public init(rawValue: UInt16) { self.rawValue = rawValue }

            public static let none = Kind(rawValue: UInt16(TUNNEL_ENCAP_NONE.rawValue))
            /// Foo over UDP.
            public static let fou = Kind(rawValue: UInt16(TUNNEL_ENCAP_FOU.rawValue))
            /// Generic UDP encapsulation.
            public static let gue = Kind(rawValue: UInt16(TUNNEL_ENCAP_GUE.rawValue))
        }

        public struct Flags: OptionSet, Hashable, Sendable {
            public var rawValue: UInt16
            public init(rawValue: UInt16) { self.rawValue = rawValue }

            /// UDP checksums over IPv4.
            public static let checksum = Flags(rawValue: UInt16(TUNNEL_ENCAP_FLAG_CSUM))
            /// UDP checksums over IPv6.
            public static let checksum6 = Flags(rawValue: UInt16(TUNNEL_ENCAP_FLAG_CSUM6))
            public static let remoteChecksum = Flags(rawValue: UInt16(TUNNEL_ENCAP_FLAG_REMCSUM))
        }
    }
}

extension IPTunnel {
    /// Reads `IFLA_INFO_DATA`.
    init(_ payload: RawSpan) throws(Malformed) {
        self.init(local: .any, remote: .any)
        // An attribute that isn't there is zero, not this type's default for a new tunnel.
        pmtudisc = false
        proto = .any
        try payload.forEachAttribute { (type, value, whole) throws(Malformed) in
            switch type {
            case IFLA_IPTUN_LINK: link = try value.number()
            case IFLA_IPTUN_LOCAL: local = try value.address()
            case IFLA_IPTUN_REMOTE: remote = try value.address()
            case IFLA_IPTUN_TTL: ttl = try value.number()
            case IFLA_IPTUN_TOS: tos = try value.number()
            case IFLA_IPTUN_PROTO: proto = InnerProtocol(rawValue: try value.number())
            case IFLA_IPTUN_PMTUDISC: pmtudisc = try value.number(UInt8.self) != 0
            case IFLA_IPTUN_FWMARK: fwmark = try value.number()
            case IFLA_IPTUN_FLAGS: flags = UInt16(bigEndian: try value.number())
            case IFLA_IPTUN_COLLECT_METADATA: collectMetadata = true
            case IFLA_IPTUN_ENCAP_TYPE: encapsulation.type = .init(rawValue: try value.number())
            case IFLA_IPTUN_ENCAP_FLAGS: encapsulation.flags = .init(rawValue: try value.number())
            case IFLA_IPTUN_ENCAP_SPORT: encapsulation.sourcePort = UInt16(bigEndian: try value.number())
            case IFLA_IPTUN_ENCAP_DPORT: encapsulation.destinationPort = UInt16(bigEndian: try value.number())
            default: other.append(whole)
            }
        }
    }

    /// Writes `IFLA_INFO_DATA`, in the kernel's own order (`ipip_fill_info`).
    func put(into writer: inout MessageWriter) {
        writer.put(IFLA_IPTUN_LINK, link)
        writer.put(IFLA_IPTUN_LOCAL, local)
        writer.put(IFLA_IPTUN_REMOTE, remote)
        writer.put(IFLA_IPTUN_TTL, ttl)
        writer.put(IFLA_IPTUN_TOS, tos)
        writer.put(IFLA_IPTUN_PROTO, proto.rawValue)
        writer.put(IFLA_IPTUN_PMTUDISC, UInt8(pmtudisc ? 1 : 0))
        writer.put(IFLA_IPTUN_FWMARK, fwmark)
        writer.put(IFLA_IPTUN_ENCAP_TYPE, encapsulation.type.rawValue)
        writer.put(IFLA_IPTUN_ENCAP_SPORT, encapsulation.sourcePort.bigEndian)
        writer.put(IFLA_IPTUN_ENCAP_DPORT, encapsulation.destinationPort.bigEndian)
        writer.put(IFLA_IPTUN_ENCAP_FLAGS, encapsulation.flags.rawValue)
        if collectMetadata { writer.putFlag(IFLA_IPTUN_COLLECT_METADATA) }
        if let flags { writer.put(IFLA_IPTUN_FLAGS, flags.bigEndian) }
        writer.put(other)
    }
}
