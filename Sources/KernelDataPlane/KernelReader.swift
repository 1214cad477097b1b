internal import Netlink
internal import Synchronization
public import Tunnels

/// Answers what the kernel has, for people to look at; over a socket of its own, so that it never waits for writes.
public final class KernelReader: Sendable {
    private let plane: Mutex<KernelDataPlane>

    /// Reads the network namespace of the thread that calls.
    ///
    /// - Parameter counter: counts what is asked.
    public init(counter: ChangeCounter = ChangeCounter()) throws(TunnelProblem) {
        plane = Mutex(try KernelDataPlane(counters: counter))
    }

    /// Those of the links that are `ipip`, with all that decides whether they can be adopted.
    public func unmanagedTunnels(_ indexes: [Int32]) throws(TunnelProblem) -> [UnmanagedTunnel] {
        try read { (plane) throws(NetlinkError) in
            try plane.unmanagedTunnels(indexes.map { UInt32(bitPattern: $0) })
        }
    }

    /// All links with their IPv4 addresses, by ifindex.
    public func links() throws(TunnelProblem) -> [ObservedLink] {
        try read { (plane) throws(NetlinkError) in
            let socket = plane.socket
            var links = try socket.links().map { ObservedLink($0) }.sorted { $0.ifindex < $1.ifindex }
            let positions = Dictionary(links.enumerated().map { ($1.ifindex, $0) }) { first, _ in first }
            for address in try socket.addresses() {
                guard let position = positions[Int32(bitPattern: address.interface)] else { continue }
                links[position].addresses.insert(InterfaceAddress(address))
            }
            return links
        }
    }

    /// The IPv4 routes of all tables but `local`, which the kernel keeps for itself.
    public func routes() throws(TunnelProblem) -> [ObservedRoute] {
        try read { (plane) throws(NetlinkError) in
            let socket = plane.socket
            let names = Dictionary(try socket.links().map { ($0.index, $0.name) }) { first, _ in first }
            return try socket.routes().filter { $0.table != Route.localTable }.map { route in
                ObservedRoute(route, link: route.interface.flatMap { names[$0] ?? nil })
            }
        }
    }

    private func read<Value: Sendable>(
        _ body: @Sendable (KernelDataPlane) throws(NetlinkError) -> Value
    ) throws(TunnelProblem) -> Value {
        let result: Result<Value, NetlinkError> = plane.withLock { plane in
            Result { () throws(NetlinkError) in try body(plane) }
        }
        do throws(NetlinkError) {
            return try result.get()
        } catch {
            throw TunnelProblem(error)
        }
    }
}

extension ObservedRoute {
    fileprivate init(_ route: Route, link: String?) {
        self.init(
            to: IPv4Prefix(containing: IPv4Address(route.destination), length: Int(route.prefixLength)),
            via: route.gateway.map { IPv4Address($0) }, link: link,
            source: route.preferredSource.map { IPv4Address($0) }, metric: route.metric ?? 0, table: route.table,
            protocol: route.proto.rawValue, isManaged: route.proto == Mark.routeProtocol)
    }
}
