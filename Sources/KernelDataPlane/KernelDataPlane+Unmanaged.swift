internal import Netlink
internal import Tunnels

extension KernelDataPlane {
    /// Those of the links that are `ipip`, with all that decides whether they can be adopted.
    func unmanagedTunnels(_ indexes: [UInt32]) throws(NetlinkError) -> [UnmanagedTunnel] {
        let links = try read(indexes).filter { $0.tunnel != nil }
        guard !links.isEmpty else { return [] }
        linkMTUs = [:]
        var found = links.map { UnmanagedTunnel(link: $0) }
        try readSurroundings(of: links, into: &found)
        let positions = Dictionary(links.enumerated().map { ($1.index, $0) }) { first, _ in first }
        try readAddresses(positions, into: &found)
        try readRoutes(positions, into: &found)
        let paths = try paths(of: found.compactMap(\.link.parameters))
        for position in found.indices {
            found[position].path = found[position].link.parameters.flatMap { PathLookup($0) }.flatMap { paths[$0] }
        }
        return found
    }

    /// One by one: a dump leaves out what isn't needed elsewhere. One that went meanwhile is left out.
    private func read(_ indexes: [UInt32]) throws(NetlinkError) -> [Link] {
        try socket.execute(indexes.map { .readLink($0) }).compactMap { (try? $0.get())?.first?.link }
    }

    /// The names of the links that these stand on and belong to.
    private func readSurroundings(of links: [Link], into found: inout [UnmanagedTunnel]) throws(NetlinkError) {
        let others = Set(links.compactMap { $0.tunnel?.link } + links.compactMap(\.master)).subtracting([0])
        let names = Dictionary(try read(Array(others)).map { ($0.index, $0.name) }) { first, _ in first }
        for (position, link) in links.enumerated() {
            found[position].master = link.master.flatMap { names[$0] ?? "link number \($0)" }
            guard let underlay = link.tunnel?.link, underlay != 0 else { continue }
            found[position].underlay = names[underlay] ?? nil
            if found[position].underlay == nil, !link.isBoundElsewhere {
                found[position].peculiarities.append(.underlayMissing(underlay))
            }
        }
    }

    private func readAddresses(
        _ positions: [UInt32: Int], into found: inout [UnmanagedTunnel]
    ) throws(NetlinkError) {
        let addresses = try socket.addresses(into: [Address]()) { addresses, address in
            if positions[address.interface] != nil { addresses.append(address) }
        }
        for address in addresses {
            guard let position = positions[address.interface] else { continue }
            let value = InterfaceAddress(address)
            found[position].addresses.append(value)
            found[position].link.addresses.insert(value)
            if !address.flags.contains(.permanent) || address.flags.contains(.noPrefixRoute) {
                found[position].specialAddresses.append(value)
            }
        }
        let counts = try socket.ipv6AddressCounts()
        for (index, position) in positions { found[position].addressesOfIPv6 = counts[index] ?? 0 }
    }

    private func readRoutes(
        _ positions: [UInt32: Int], into found: inout [UnmanagedTunnel]
    ) throws(NetlinkError) {
        let routes = try socket.routes(into: [Route]()) { routes, route in
            guard let index = route.interface, positions[index] != nil, route.table != Route.localTable else { return }
            routes.append(route)
        }
        let holders = try holders(of: Set(routes.map { TunnelRoute($0) }))
        for route in routes {
            guard let position = route.interface.flatMap({ positions[$0] }) else { continue }
            var extras = route.extras
            if route.table == Route.mainTable, route.tos == 0, (holders[TunnelRoute(route)] ?? []).count > 1 {
                extras.append("beside another of the same metric")
            }
            found[position].routes.append(
                UnmanagedTunnel.Route(TunnelRoute(route), protocol: route.proto.rawValue, extras: extras))
        }
    }
}

extension UnmanagedTunnel {
    fileprivate init(link: Link) {
        self.init(ObservedLink(link))
        group = link.group ?? 0
        alias = link.alias ?? ""
        guard let tunnel = link.tunnel else { return }
        if tunnel.collectMetadata { peculiarities.append(.external) }
        switch tunnel.encapsulation.type {
        case .none: break
        case .fou: peculiarities.append(.encapsulation("fou"))
        case .gue: peculiarities.append(.encapsulation("gue"))
        case let other: peculiarities.append(.encapsulation("type \(other.rawValue)"))
        }
        // Of links that take their endpoints from packets the kernel tells none of the rest.
        if tunnel.proto != .ipip, !tunnel.collectMetadata {
            peculiarities.append(.innerProtocol(tunnel.proto.rawValue))
        }
        if link.isBoundElsewhere { peculiarities.append(.boundElsewhere) }
        if !tunnel.other.isEmpty { peculiarities.append(.unknown) }
    }
}

extension Route {
    /// What it has that a tunnel's route can't have, in `ip route`'s words.
    fileprivate var extras: [String] {
        var words: [String] = []
        if type != .unicast { words.append("of type \(type.rawValue)") }
        if tos != 0 { words.append("tos \(tos)") }
        if let gateway { words.append("via \(gateway)") }
        if table != Route.mainTable { words.append("table \(table)") }
        if let preferredSource { words.append("src \(preferredSource)") }
        if scope != .link, gateway == nil { words.append("scope \(scope.rawValue)") }
        if let mtu { words.append("mtu \(mtu)") }
        if !otherMetrics.isEmpty || !other.isEmpty { words.append("and more") }
        return words
    }
}
