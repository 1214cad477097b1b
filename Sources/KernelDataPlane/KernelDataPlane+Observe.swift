internal import Netlink
public import Tunnels

extension KernelDataPlane {
    public func observe(for tunnels: [Tunnel]) throws(TunnelProblem) -> ObservedState {
        try carrier.look()
        do throws(NetlinkError) {
            groups = []
            // A link for each tunnel, and some of others'.
            var links = try socket.links(into: [ObservedLink](capacity: tunnels.count + 32)) { links, link in
                noteUse(of: link)
                links.append(observed(link))
            }
            var owned = [UInt32: Int](minimumCapacity: links.count)
            for (position, link) in links.enumerated() where link.owner != nil || link.remains != nil {
                owned[UInt32(bitPattern: link.ifindex)] = position
            }
            if !owned.isEmpty { try readAddressesAndRoutes(of: owned, into: &links) }
            var state = ObservedState(links: links, claimedBy: tunnels)
            try findPaths(of: tunnels, in: &state)
            return state
        } catch {
            throw TunnelProblem(error)
        }
    }

    func observed(_ link: Link) -> ObservedLink {
        var observed = ObservedLink(
            link, parameters: link.tunnel.map { LinkParameters($0) } ?? carrier.parameters(of: link))
        observed.isWhole = carrier.isWhole(link.index)
        return observed
    }

    private func findPaths(of tunnels: [Tunnel], in state: inout ObservedState) throws(NetlinkError) {
        // Positions, because a copy of a thousand tunnels is memory that a look would touch for nothing.
        let followers = tunnels.indices.filter { carrier.needsPaths || tunnels[$0].definition.mtu == nil }
        let lookups = followers.map { position in
            PathLookup(tunnels[position].definition) {
                state.link(named: $0).map { UInt32(bitPattern: $0.ifindex) }
            }
        }
        let ways = try knownWays(for: Set(lookups))
        linkMTUs = [:]
        for link in state.links where link.owner == nil { linkMTUs[UInt32(bitPattern: link.ifindex)] = link.mtu }
        var found = FoundWays()
        found.isNews = routeAge != followedAge
        followedAge = routeAge
        for (position, lookup) in zip(followers, lookups) {
            let tunnel = tunnels[position]
            // What wasn't looked up yet goes on as it does.
            guard let known = ways[lookup] else { continue }
            let way = known.way
            let path = way?.route.interface.flatMap { linkMTU($0) }.flatMap { way?.path(linkMTU: $0) }
            if tunnel.definition.mtu == nil { state.paths[tunnel.id] = path }
            if carrier.needsPaths, let link = state.link(of: tunnel.id) {
                found.paths[UInt32(bitPattern: link.ifindex)] = .some(path)
            }
        }
        guard carrier.needsPaths else { return }
        for link in state.links { found.links[UInt32(bitPattern: link.ifindex)] = link.isUp }
        carrier.follow(found)
    }

    private func readAddressesAndRoutes(
        of owned: [UInt32: Int], into links: inout [ObservedLink]
    ) throws(NetlinkError) {
        // As short as may be: a link has one in most cases, and each is here for a moment only.
        typealias Found = (position: Int, address: InterfaceAddress)
        let addresses = try socket.addresses(into: [Found](capacity: owned.count)) { found, address in
            if let position = owned[address.interface] { found.append((position, InterfaceAddress(address))) }
        }
        for (position, address) in addresses { links[position].addresses.insert(address) }
        for route in try socket.routes(RouteFilter(proto: Mark.routeProtocol)) {
            if let index = route.interface, let position = owned[index] {
                links[position].routes.insert(TunnelRoute(route))
            }
        }
    }

    public func observe(_ tunnel: Tunnel, ifindex: Int32) throws(TunnelProblem) -> ObservedState {
        var state: ObservedState
        do throws(NetlinkError) {
            state = try readOne(tunnel, UInt32(bitPattern: ifindex))
        } catch {
            throw TunnelProblem(error)
        }
        if tunnel.definition.mtu == nil { state.paths = try paths(of: [tunnel]) }
        return state
    }

    private func readOne(_ tunnel: Tunnel, _ index: UInt32) throws(NetlinkError) -> ObservedState {
        var requests: [Request] = index == 0 ? [] : [.readLink(index)]
        if let underlay = tunnel.definition.underlay { requests.append(.readLink(named: underlay.text)) }
        // One that isn't there is no error: then the plan makes it, or names the underlay that's missing.
        var links = try socket.execute(requests).compactMap { outcome in
            (try? outcome.get())?.first?.link.map { observed($0) }
        }
        guard let position = links.firstIndex(where: { $0.ifindex == Int32(bitPattern: index) }) else {
            return ObservedState(links: links)
        }
        links[position].addresses = Set(try socket.addresses(interface: index).map { InterfaceAddress($0) })
        let routes = try socket.routes(RouteFilter(proto: Mark.routeProtocol, interface: index))
        links[position].routes = Set(routes.map { TunnelRoute($0) })
        return ObservedState(links: links, claimedBy: [tunnel])
    }
}

extension Array {
    fileprivate init(capacity: Int) {
        self = []
        reserveCapacity(capacity)
    }
}
