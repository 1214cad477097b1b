internal import CMnl

extension Request {
    /// Adds a route; `EEXIST` when the table has one of the same destination, tos and metric (`ip route add`).
    public static func addRoute(_ route: Route) -> Request {
        Request(
            "add route \(route.text)", type: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_EXCL, route.body())
    }

    /// Adds a route in the place of one of the same destination, tos and metric, whosever it is
    /// (`ip route replace`).
    public static func replaceRoute(_ route: Route) -> Request {
        Request(
            "replace route \(route.text)", type: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_REPLACE,
            route.body())
    }

    /// Puts a route in the place of the first one of the same destination, tos and metric; `ENOENT` when there is none
    /// (`ip route change`). No packet finds the table without it (`hlist_replace_rcu` in `fib_table_insert`).
    public static func changeRoute(_ route: Route) -> Request {
        Request("change route \(route.text)", type: RTM_NEWROUTE, flags: NLM_F_REPLACE, route.body())
    }

    /// Deletes the route that matches all that is given, whatever its scope; `ESRCH` when there is none (`ip route delete`).
    public static func deleteRoute(_ route: Route) -> Request {
        var route = route
        route.flags = []
        // The kernel's "whichever".
        route.scope = .nowhere
        return Request("delete route \(route.text)", type: RTM_DELROUTE, route.body())
    }

    /// Which way a packet to this address would go: answers with `.route`, or `ENETUNREACH` and the like
    /// (`ip route get`).
    ///
    /// - Parameters:
    ///   - mark: firewall mark, which rules may look at.
    ///   - interface: the link that it shall leave through.
    ///   - source: the address that it shall come from.
    ///   - matching: `.destination` answers about this one address, with the learned path MTU and the chosen
    ///     source; `.entry` answers with the entry of the table that matched (`RTM_F_FIB_MATCH`, since 4.13).
    public static func lookUpRoute(
        to destination: IPv4, mark: UInt32? = nil, interface: UInt32? = nil, source: IPv4? = nil,
        matching: RouteLookup = .destination
    ) -> Request {
        var route = Route(destination, prefixLength: 32, interface: interface)
        route.flags = matching == .entry ? [.fibMatch, .lookUpTable] : .lookUpTable
        return Request("look up the route to \(destination)", type: RTM_GETROUTE, route.lookUp(mark, source))
    }
}

/// What a lookup answers with.
public enum RouteLookup: Hashable, Sendable {
    case destination, entry
}

extension Route {
    /// Strict checking admits no attribute here but those of a lookup.
    fileprivate func lookUp(_ mark: UInt32?, _ source: IPv4?) -> MessageWriter {
        var writer = MessageWriter(
            rtmsg(
                rtm_family: UInt8(AF_INET), rtm_dst_len: prefixLength, rtm_src_len: source == nil ? 0 : 32,
                rtm_tos: 0, rtm_table: 0, rtm_protocol: 0, rtm_scope: 0, rtm_type: 0,
                rtm_flags: flags.rawValue))
        writer.put(RTA.destination, destination)
        if let source { writer.put(Int(RTA_SRC.rawValue), source) }
        if let interface { writer.put(RTA.interface, interface) }
        if let mark { writer.put(RTA.mark, mark) }
        return writer
    }
}

/// Which routes a dump shall answer with; nil is any.
public struct RouteFilter: Hashable, Sendable {
    public var table: UInt32?
    public var proto: RouteProtocol?
    public var interface: UInt32?

    public init(table: UInt32? = nil, proto: RouteProtocol? = nil, interface: UInt32? = nil) {
        self.table = table
        self.proto = proto
        self.interface = interface
    }

    func admits(_ route: Route) -> Bool {
        (table == nil || route.table == table) && (proto == nil || route.proto == proto)
            && (interface == nil || route.interface == interface)
    }
}

extension NetlinkSocket {
    /// The IPv4 routes that pass the filter.
    public func routes(_ filter: RouteFilter = RouteFilter()) throws(NetlinkError) -> [Route] {
        try routes(filter, into: []) { $0.append($1) }
    }

    /// Folds the IPv4 routes that pass the filter into a value. A table that doesn't exist has none.
    ///
    /// - Parameter initial: asked for again when the kernel says that the dump was inconsistent.
    public func routes<Result>(
        _ filter: RouteFilter = RouteFilter(), into initial: @autoclosure () -> Result,
        _ body: (inout Result, Route) -> Void
    ) throws(NetlinkError) -> Result {
        var writer = MessageWriter(
            rtmsg(
                rtm_family: UInt8(AF_INET), rtm_dst_len: 0, rtm_src_len: 0, rtm_tos: 0, rtm_table: 0,
                rtm_protocol: filter.proto?.rawValue ?? 0, rtm_scope: 0, rtm_type: 0, rtm_flags: 0))
        if let table = filter.table { writer.put(RTA.table, table) }
        if let interface = filter.interface { writer.put(RTA.interface, interface) }
        let request = Request("read the routes", type: RTM_GETROUTE, flags: NLM_F_DUMP, writer)
        do {
            return try dump(request, answer: RTM_NEWROUTE, into: initial()) {
                (result, payload) throws(Malformed) in
                // A kernel without strict checking answers with all, of its route cache too.
                let route = try Route(payload)
                if filter.admits(route), !route.flags.contains(.cloned) { body(&result, route) }
            }
        } catch {
            if error.code == .noSuchEntry { return initial() }
            throw error
        }
    }
}
