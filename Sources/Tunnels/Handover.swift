/// A link's way into a tunnel's hands, or out of them. Its packets don't notice: nothing of it is taken away or made
/// anew.
public struct Handover: Hashable, Sendable {
    public enum Alias: Hashable, Sendable {
        /// The one that says whose link it is.
        case tunnel(TunnelID)
        case text(String)
    }

    /// Whose a route shall be.
    public struct RouteOwner: Hashable, Sendable {
        public let route: TunnelRoute
        /// nil for us.
        public let `protocol`: UInt8?

        public init(_ route: TunnelRoute, protocol: UInt8?) {
            self.route = route
            self.protocol = `protocol`
        }
    }

    public let ifindex: Int32
    /// nil leaves it as it is.
    public var alias: Alias?
    /// nil leaves it as it is.
    public var group: UInt32?
    public var routes: [RouteOwner] = []

    public init(ifindex: Int32) {
        self.ifindex = ifindex
    }
}

extension Handover {
    /// The first step of an adoption. Half of the mark: its tunnel claims such a link, and nobody takes it away where
    /// there is no tunnel, so that the daemon may be killed before the definition is stored, or right after.
    public static func taking(_ found: UnmanagedTunnel, _ adoption: Adoption, for tunnel: TunnelID) -> Handover {
        var handover = Handover(ifindex: found.link.ifindex)
        handover.alias = .tunnel(tunnel)
        handover.routes = adoption.routes.map { RouteOwner($0.route, protocol: nil) }
        return handover
    }

    /// Gives back what `taking` took.
    public static func givingBack(_ found: UnmanagedTunnel, _ adoption: Adoption) -> Handover {
        var handover = Handover(ifindex: found.link.ifindex)
        handover.alias = .text(found.alias)
        handover.routes = adoption.routes.map { RouteOwner($0.route, protocol: $0.protocol) }
        return handover
    }

    /// The first step of letting a link go: half of the mark again.
    public static func loosening(_ ifindex: Int32) -> Handover {
        var handover = Handover(ifindex: ifindex)
        handover.group = 0
        return handover
    }

    /// The second: nothing says any more that it was ours.
    public static func releasing(_ link: ObservedLink) -> Handover {
        var handover = Handover(ifindex: link.ifindex)
        handover.alias = .text("")
        handover.routes = link.routes.sorted { $0.description < $1.description }
            .map { RouteOwner($0, protocol: RouteProtocols.static) }
        return handover
    }
}

/// The kernel's numbers of who made a route (`RTPROT_…` in `linux/rtnetlink.h`).
public enum RouteProtocols {
    /// The kernel itself, for an address.
    public static let kernel: UInt8 = 2
    /// What `ip route add` says unless told otherwise.
    public static let boot: UInt8 = 3
    public static let `static`: UInt8 = 4
    /// Ours, free in iproute2's `rt_protos`.
    public static let tunneld: UInt8 = 116
}
