internal import Netlink
public import Tunnels

extension KernelDataPlane {
    public func unmanagedTunnel(named name: String) throws(TunnelProblem) -> UnmanagedTunnel? {
        guard !name.isEmpty, name.utf8.count < 16 else { return nil }
        do throws(NetlinkError) {
            guard case .success(let messages)? = try socket.execute([.readLink(named: name)]).first,
                let index = messages.first?.link?.index
            else { return nil }
            return try unmanagedTunnels([index]).first
        } catch {
            throw TunnelProblem(error)
        }
    }

    public func handOver(_ handover: Handover) throws(TunnelProblem) {
        let index = UInt32(bitPattern: handover.ifindex)
        do throws(NetlinkError) {
            let holders = try holders(of: Set(handover.routes.map(\.route)))
            var requests: [Request] = []
            if handover.alias != nil || handover.group != nil {
                let alias: String? =
                    switch handover.alias {
                    case .tunnel(let tunnel): Mark.alias(of: tunnel)
                    case .text(let text): text
                    case nil: nil
                    }
                requests.append(.setLink(index, LinkChange(alias: alias, group: handover.group)))
            }
            // A change finds the first route of a network and a metric, which may be somebody else's by now.
            for owner in handover.routes where holders[owner.route]?.first == index {
                var route = Route(owner.route, by: index)
                if let number = owner.protocol { route.proto = RouteProtocol(rawValue: number) }
                requests.append(.changeRoute(route))
            }
            counters.add(requests.count)
            for outcome in try socket.execute(requests) {
                if case .failure(let error) = outcome, error.code != .noSuchEntry { throw error }
            }
        } catch {
            throw TunnelProblem(error)
        }
    }

    public func isOurMaking(_ ifindex: Int32) -> Bool {
        UInt32(bitPattern: ifindex) >= Self.firstIndex
    }

    /// The links by which each of these routes stands in the main table, in the kernel's order.
    func holders(of routes: Set<TunnelRoute>) throws(NetlinkError) -> [TunnelRoute: [UInt32]] {
        guard !routes.isEmpty else { return [:] }
        let holders = [TunnelRoute: [UInt32]]()
        return try socket.routes(RouteFilter(table: Route.mainTable), into: holders) { holders, route in
            let key = TunnelRoute(route)
            if route.tos == 0, routes.contains(key) { holders[key, default: []].append(route.interface ?? 0) }
        }
    }
}
