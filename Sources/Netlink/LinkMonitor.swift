internal import CMnl

/// Hears of each change of links, IPv4 addresses, IPv4 routes and the rules that choose their tables, and where asked of
/// qdiscs and filters, in the network namespace of the thread that opened it.
///
/// What it tells is a reason to look, not the state: events are lost when too many come at once.
public final class LinkMonitor {
    /// The most system calls of one `read`.
    public static let callsPerRead = 1024

    /// How many events one system call brings at most.
    static let slots = 16

    private let socket: KernelSocket
    private var buffer = ReceiveBuffer(size: LinkMonitor.slots * 8 << 10)

    /// - Parameter trafficControl: whether it hears of qdiscs and filters too.
    /// - Throws: `EPERM`, `EMFILE` and the like.
    public convenience init(trafficControl: Bool = false) throws(NetlinkError) {
        try self.init(trafficControl: trafficControl, receiveBuffer: 8 << 20)
    }

    /// The kernel rounds a tiny buffer up to 2,304 bytes.
    init(trafficControl: Bool = false, receiveBuffer: Int32) throws(NetlinkError) {
        var groups = UInt32(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV4_RULE)
        if trafficControl { groups |= UInt32(RTMGRP_TC) }
        socket = try KernelSocket(groups: groups, receiveBuffer: receiveBuffer)
    }

    /// Readable when there is something to `read`. It stays ours: not to be closed, nor used after this object.
    public var fileDescriptor: Int32 { socket.fileDescriptor }

    /// Takes in what has come, without waiting.
    ///
    /// - Parameter calls: how many system calls at most; what they leave keeps the descriptor readable.
    /// - Throws: an error of the socket itself. Lost events aren't one, see `Changes.overflowed`.
    public func read(calls: Int = callsPerRead) throws(NetlinkError) -> Changes {
        var changes = Changes()
        for _ in 0..<calls {
            do throws(SystemCallError) {
                guard try socket.receive(into: &buffer, slots: Self.slots) else { return changes }
                buffer.forEachDatagram { datagram, isWhole in
                    changes.take(datagram)
                    if !isWhole { changes.overflowed = true }
                }
            } catch {
                guard error.errno == ENOBUFS else {
                    throw ReceiveError.system(error).failure(of: "read the kernel's events")
                }
                changes.overflowed = true
            }
        }
        return changes
    }
}

/// What `LinkMonitor.read` took in, each change once.
public struct Changes: Hashable, Sendable {
    public struct Event: Hashable, Sendable {
        public enum Kind: Hashable, Sendable {
            /// Created, or one of its properties changed.
            case link
            case linkRemoved
            case address, addressRemoved
            case route(RouteProtocol)
            case routeRemoved(RouteProtocol)
            /// One that chooses a table, added or removed.
            case rule
            case qdisc, qdiscRemoved
            /// Added, or another in its place.
            case filter
            case filterRemoved
        }

        public var kind: Kind
        /// Ifindex; 0 for a rule and for a route without a link of its own, `UInt32.max` for a filter that several links share.
        public var interface: UInt32
        /// `NetlinkSocket.portID` of whoever asked for it; 0 when the kernel did it by itself, and for all
        /// changes of links, where it doesn't say (checked on 6.18).
        public var sender: UInt32
    }

    public internal(set) var events: Set<Event> = []
    /// What links had counted when they were removed.
    public internal(set) var ended: [UInt32: LinkCounters] = [:]
    /// Events were lost: read everything again. The monitor goes on.
    public internal(set) var overflowed = false

    public var isEmpty: Bool { events.isEmpty && !overflowed }

    /// The links that were changed, or whose addresses, qdiscs or filters were.
    public var interfaces: Set<UInt32> {
        Set(events.lazy.filter { !$0.isRoute && $0.kind != .rule }.map(\.interface))
    }

    /// Who made the routes that changed; empty when none did.
    public var routeProtocols: Set<RouteProtocol> { Set(events.lazy.compactMap(\.routeProtocol)) }

    /// Whether all of it, with nothing lost, is known to have been asked for by this socket: never, when a link
    /// changed.
    public func all(by portID: UInt32) -> Bool {
        !overflowed && events.allSatisfy { $0.sender == portID }
    }

    /// Notes a datagram's events. One that can't be read counts as lost.
    mutating func take(_ datagram: RawSpan) {
        do throws(Malformed) {
            try datagram.forEachMessage { (header, payload) throws(Malformed) in
                guard let event = try Event(header, payload) else { return }
                events.insert(event)
                if event.kind == .linkRemoved { ended[event.interface] = try Self.counters(payload) }
            }
        } catch {
            overflowed = true
        }
    }
}

extension Changes {
    /// Those that the message of a link has; nil for one of a bridge's port, which has none.
    private static func counters(_ payload: RawSpan) throws(Malformed) -> LinkCounters? {
        var counters: LinkCounters?
        try payload.forEachAttribute(after: MemoryLayout<ifinfomsg>.size) { (type, value, _) throws(Malformed) in
            if type == IFLA_STATS64 { counters = try LinkCounters(value) }
        }
        return counters
    }
}

extension Changes.Event {
    public var isRoute: Bool { routeProtocol != nil }

    /// Whether it is of a qdisc or filter.
    public var isTrafficControl: Bool {
        switch kind {
        case .qdisc, .qdiscRemoved, .filter, .filterRemoved: true
        default: false
        }
    }

    public var routeProtocol: RouteProtocol? {
        switch kind {
        case .route(let proto), .routeRemoved(let proto): proto
        default: nil
        }
    }

    /// Nil for a message that tells of nothing we listen to.
    init?(_ header: nlmsghdr, _ payload: RawSpan) throws(Malformed) {
        sender = header.nlmsg_pid
        switch Int(header.nlmsg_type) {
        case RTM_NEWLINK, RTM_DELLINK:
            kind = Int(header.nlmsg_type) == RTM_NEWLINK ? .link : .linkRemoved
            interface = UInt32(bitPattern: try payload.load(ifinfomsg.self).ifi_index)
        case RTM_NEWADDR, RTM_DELADDR:
            kind = Int(header.nlmsg_type) == RTM_NEWADDR ? .address : .addressRemoved
            interface = try payload.load(ifaddrmsg.self).ifa_index
        case RTM_NEWROUTE, RTM_DELROUTE:
            let proto = RouteProtocol(rawValue: try payload.load(rtmsg.self).rtm_protocol)
            kind = Int(header.nlmsg_type) == RTM_NEWROUTE ? .route(proto) : .routeRemoved(proto)
            var interface: UInt32 = 0
            try payload.forEachAttribute(after: MemoryLayout<rtmsg>.size) {
                (type, value, _) throws(Malformed) in
                if type == RTA.interface { interface = try value.number() }
            }
            self.interface = interface
        case RTM_NEWRULE, RTM_DELRULE:
            kind = .rule
            interface = 0
        case RTM_NEWQDISC, RTM_DELQDISC:
            kind = Int(header.nlmsg_type) == RTM_NEWQDISC ? .qdisc : .qdiscRemoved
            interface = UInt32(bitPattern: try payload.load(tcmsg.self).tcm_ifindex)
        case RTM_NEWTFILTER, RTM_DELTFILTER:
            kind = Int(header.nlmsg_type) == RTM_NEWTFILTER ? .filter : .filterRemoved
            interface = UInt32(bitPattern: try payload.load(tcmsg.self).tcm_ifindex)
        default: return nil
        }
    }
}
