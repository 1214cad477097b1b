/// A tunnel's link that isn't ours, with all that decides whether it can be.
public struct UnmanagedTunnel: Hashable, Sendable {
    /// What it is set to that no definition has words for.
    public enum Peculiarity: Hashable, Sendable {
        /// Its endpoints come with each packet (`external`).
        case external
        /// A UDP header around the outer packet: `fou`, `gue`, or the kernel's number.
        case encapsulation(String)
        /// What may be inside, where that isn't IPv4 alone: a protocol number (`mode mplsip`), or 0 for any.
        case innerProtocol(UInt8)
        /// Its outer packets travel in another network namespace.
        case boundElsewhere
        /// The ifindex of an underlay that isn't in this network namespace.
        case underlayMissing(UInt32)
        /// Attributes that this build doesn't know.
        case unknown
    }

    /// A route by the link.
    public struct Route: Hashable, Sendable {
        public let route: TunnelRoute
        /// Who made it, by number (`/etc/iproute2/rt_protos`).
        public let `protocol`: UInt8
        /// What it has beside a network and a metric, as `ip route` shows it; empty for one that a tunnel can have.
        public let extras: [String]

        public init(_ route: TunnelRoute, protocol: UInt8, extras: [String] = []) {
            self.route = route
            self.protocol = `protocol`
            self.extras = extras
        }
    }

    /// Its parameters are never nil; its addresses and routes stand below.
    public var link: ObservedLink
    public var group: UInt32 = 0
    /// Empty for none.
    public var alias = ""
    public var peculiarities: [Peculiarity] = []
    /// The name of the underlay that it is bound to.
    public var underlay: String?
    /// The name of the VRF or the like that it belongs to.
    public var master: String?
    /// In the kernel's order.
    public var addresses: [InterfaceAddress] = []
    /// Those of them that come to an end (`valid_lft`), or for which the kernel made no route (`noprefixroute`).
    public var specialAddresses: [InterfaceAddress] = []
    /// How many addresses of IPv6 it has, but for those that the kernel makes by itself.
    public var addressesOfIPv6 = 0
    /// Of all tables but `local`.
    public var routes: [Route] = []
    /// The way to its remote; nil where there is none.
    public var path: UnderlayPath?

    public init(_ link: ObservedLink) {
        self.link = link
    }
}

/// A link of the host, as it is listed.
public struct HostLink: Hashable, Sendable {
    public let link: ObservedLink
    /// What would become of it as a tunnel; nil for a tunnel's link, and for one that can't be any's.
    public let adoption: Adoption?

    public init(_ link: ObservedLink, adoption: Adoption? = nil) {
        self.link = link
        self.adoption = adoption
    }
}
