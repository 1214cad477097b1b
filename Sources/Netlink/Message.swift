internal import CMnl

/// What the kernel sends: an answer's data, or an event.
public enum Message: Hashable, Sendable {
    case link(Link)
    case linkRemoved(Link)
    case address(Address)
    case addressRemoved(Address)
    case route(Route)
    case routeRemoved(Route)
    case statistics(LinkStatistics)
    case qdisc(Qdisc)
    case qdiscRemoved(Qdisc)
    case filter(TrafficFilter)
    case filterRemoved(TrafficFilter)
    /// A message, or an address family, that this module doesn't interpret: its type and bytes.
    case other(UInt16, [UInt8])

    init(type: UInt16, payload: RawSpan) throws(Malformed) {
        switch Int(type) {
        case RTM_NEWLINK: self = .link(try Link(payload))
        case RTM_DELLINK: self = .linkRemoved(try Link(payload))
        case RTM_NEWADDR where payload.isIPv4: self = .address(try Address(payload))
        case RTM_DELADDR where payload.isIPv4: self = .addressRemoved(try Address(payload))
        case RTM_NEWROUTE where payload.isIPv4: self = .route(try Route(payload))
        case RTM_DELROUTE where payload.isIPv4: self = .routeRemoved(try Route(payload))
        case RTM_NEWSTATS: self = .statistics(try LinkStatistics(payload))
        case RTM_NEWQDISC: self = .qdisc(try Qdisc(payload))
        case RTM_DELQDISC: self = .qdiscRemoved(try Qdisc(payload))
        case RTM_NEWTFILTER: self = .filter(try TrafficFilter(payload))
        case RTM_DELTFILTER: self = .filterRemoved(try TrafficFilter(payload))
        default: self = .other(type, payload.array())
        }
    }
}

extension Message {
    public var link: Link? { if case .link(let link) = self { link } else { nil } }
    public var route: Route? { if case .route(let route) = self { route } else { nil } }
    public var filter: TrafficFilter? { if case .filter(let filter) = self { filter } else { nil } }
    public var statistics: LinkStatistics? {
        if case .statistics(let statistics) = self { statistics } else { nil }
    }
}

extension RawSpan {
    /// Each header of rtnetlink begins with the address family.
    var isIPv4: Bool { (try? load(UInt8.self)) == UInt8(AF_INET) }
}
