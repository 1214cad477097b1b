internal import Netlink
public import Tunnels

extension KernelDataPlane {
    public func observe(for tunnels: [Tunnel]) throws(TunnelProblem) -> ObservedState {
        do throws(NetlinkError) {
            groups = []
            var links = try socket.links(into: [ObservedLink]()) { links, link in
                noteUse(of: link)
                links.append(ObservedLink(link))
            }
            var owned: [UInt32: Int] = [:]
            for (position, link) in links.enumerated() where link.owner != nil {
                owned[UInt32(bitPattern: link.ifindex)] = position
            }
            if !owned.isEmpty { try readAddressesAndRoutes(of: owned, into: &links) }
            let mtus = Dictionary(links.map { (UInt32(bitPattern: $0.ifindex), $0.mtu) }) { first, _ in first
            }
            let followers = tunnels.filter { $0.definition.mtu == nil }
            let paths = try paths(of: followers, mtuOf: { mtus[$0] })
            return ObservedState(links: links, paths: paths)
        } catch {
            throw TunnelProblem(error)
        }
    }

    private func readAddressesAndRoutes(
        of owned: [UInt32: Int], into links: inout [ObservedLink]
    ) throws(NetlinkError) {
        let addresses = try socket.addresses(into: [Address]()) { addresses, address in
            if owned[address.interface] != nil { addresses.append(address) }
        }
        for address in addresses {
            if let position = owned[address.interface] {
                links[position].addresses.insert(InterfaceAddress(address))
            }
        }
        for route in try socket.routes(RouteFilter(proto: Mark.routeProtocol)) {
            if let index = route.interface, let position = owned[index] {
                links[position].routes.insert(TunnelRoute(route))
            }
        }
    }

    public func observe(_ tunnel: Tunnel, ifindex: Int32) throws(TunnelProblem) -> ObservedState {
        do throws(NetlinkError) {
            let index = UInt32(bitPattern: ifindex)
            var requests: [Request] = []
            if ifindex > 0 { requests.append(.readLink(index)) }
            if let underlay = tunnel.definition.underlay {
                requests.append(.readLink(named: underlay.text))
            }
            var links = try socket.execute(requests).compactMap { outcome in
                (try? outcome.get()).flatMap(\.first).flatMap { message -> ObservedLink? in
                    if case .link(let link) = message { ObservedLink(link) } else { nil }
                }
            }
            if ifindex > 0,
                let position = links.firstIndex(where: { $0.ifindex == ifindex && $0.owner == tunnel.id })
            {
                let addresses = try socket.addresses(interface: index)
                links[position].addresses = Set(addresses.map { InterfaceAddress($0) })
                let routes = try socket.routes(RouteFilter(proto: Mark.routeProtocol, interface: index))
                links[position].routes = Set(routes.map { TunnelRoute($0) })
            }
            var state = ObservedState(links: links)
            if tunnel.definition.mtu == nil { state.paths = try paths(of: [tunnel], mtuOf: readMTU) }
            return state
        } catch {
            throw TunnelProblem(error)
        }
    }

    public func paths(of tunnels: [Tunnel]) throws(TunnelProblem) -> [TunnelID: UnderlayPath] {
        do throws(NetlinkError) {
            return try paths(of: tunnels, mtuOf: readMTU)
        } catch {
            throw TunnelProblem(error)
        }
    }

    private struct Lookup: Hashable {
        let remote: IPv4Address
        let mark: UInt32?
    }

    /// Asks once for each remote, however many tunnels have it.
    private func paths(
        of tunnels: [Tunnel], mtuOf: (UInt32) -> Int?
    ) throws(NetlinkError) -> [TunnelID: UnderlayPath] {
        let wanted = tunnels.map { Lookup(remote: $0.definition.remote, mark: $0.definition.fwmark) }
        let lookups = Array(Set(wanted))
        let outcomes = try socket.execute(
            lookups.map { .lookUpRoute(to: IPv4($0.remote), mark: $0.mark, matching: .entry) })
        var found: [Lookup: UnderlayPath] = [:]
        for (lookup, outcome) in zip(lookups, outcomes) {
            // No way to the remote is no error here: there may be one later.
            guard case .success(let messages) = outcome, case .route(let route)? = messages.first,
                let index = route.interface, let linkMTU = mtuOf(index)
            else { continue }
            found[lookup] = UnderlayPath(
                ifindex: Int32(bitPattern: index), mtu: route.mtu.map { Int($0) } ?? linkMTU,
                prefixLength: Int(route.prefixLength))
        }
        var paths: [TunnelID: UnderlayPath] = [:]
        for (tunnel, lookup) in zip(tunnels, wanted) { paths[tunnel.id] = found[lookup] }
        return paths
    }

    private func readMTU(of index: UInt32) -> Int? {
        guard case .link(let link)? = try? socket.execute(.readLink(index)).first else {
            return nil
        }
        return link.mtu.map { Int($0) }
    }
}
