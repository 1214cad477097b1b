internal import Netlink
public import Tunnels

/// What decides the way of a tunnel's outer packets.
struct PathLookup: Hashable {
    let remote: IPv4Address
    let mark: UInt32?
    let underlay: InterfaceName?

    init(_ definition: TunnelDefinition) {
        remote = definition.remote
        mark = definition.fwmark
        underlay = definition.underlay
    }
}

/// What a look-up found, and when.
struct KnownRoute {
    /// nil where there was no way.
    let route: Route?
    /// `KernelDataPlane.routeAge` at that time.
    let age: Int
}

extension KernelDataPlane {
    public func paths(of tunnels: [Tunnel]) throws(TunnelProblem) -> [TunnelID: UnderlayPath] {
        do throws(NetlinkError) {
            return paths(of: tunnels, by: try routes(for: tunnels.map { PathLookup($0.definition) }), mtuOf: readMTU)
        } catch {
            throw TunnelProblem(error)
        }
    }

    /// The same from what was looked up before. A look-up for each of a thousand remotes costs more than all the rest
    /// of a look, so what may have changed is looked up again a part at a time, and until then taken as it was.
    func knownPaths(
        of tunnels: [Tunnel], mtuOf: (UInt32) -> Int?
    ) throws(NetlinkError) -> [TunnelID: UnderlayPath] {
        let lookups = Set(tunnels.map { PathLookup($0.definition) })
        if underlay.take() { routeAge += 1 }
        let outdated = lookups.filter { knownRoutes[$0]?.age != routeAge }
        let due = Array(outdated.prefix(Self.lookupsInLook))
        hasMoreToSee = outdated.count > due.count
        if !due.isEmpty {
            let found = try routes(for: due)
            for lookup in due { knownRoutes[lookup] = KnownRoute(route: found[lookup], age: routeAge) }
        }
        if knownRoutes.count > 2 * lookups.count + Self.lookupsInLook {
            knownRoutes = knownRoutes.filter { lookups.contains($0.key) }
        }
        return paths(of: tunnels, by: knownRoutes.compactMapValues(\.route), mtuOf: mtuOf)
    }

    private static let lookupsInLook = 128

    /// Asks once for each remote, however many tunnels have it.
    private func routes(for lookups: [PathLookup]) throws(NetlinkError) -> [PathLookup: Route] {
        let lookups = Array(Set(lookups))
        let underlays = try indexes(of: lookups.compactMap(\.underlay))
        let outcomes = try socket.execute(
            lookups.map { lookup in
                let underlay = lookup.underlay.flatMap { underlays[$0] }
                return .lookUpRoute(
                    to: IPv4(lookup.remote), mark: lookup.mark, interface: underlay, matching: .entry)
            })
        var found: [PathLookup: Route] = [:]
        for (lookup, outcome) in zip(lookups, outcomes) {
            // No way to the remote is no error here: there may be one later.
            if case .success(let messages) = outcome { found[lookup] = messages.first?.route }
            // By an underlay that has no route the kernel takes the remote to be on the link itself.
            if found[lookup] == nil, let index = lookup.underlay.flatMap({ underlays[$0] }) {
                found[lookup] = Route(.any, prefixLength: 0, interface: index)
            }
        }
        return found
    }

    private func indexes(of names: [InterfaceName]) throws(NetlinkError) -> [InterfaceName: UInt32] {
        let names = Array(Set(names))
        var indexes: [InterfaceName: UInt32] = [:]
        for (name, outcome) in zip(names, try socket.execute(names.map { .readLink(named: $0.text) })) {
            if case .success(let messages) = outcome { indexes[name] = messages.first?.link?.index }
        }
        return indexes
    }

    private func paths(
        of tunnels: [Tunnel], by routes: [PathLookup: Route], mtuOf: (UInt32) -> Int?
    ) -> [TunnelID: UnderlayPath] {
        var paths: [TunnelID: UnderlayPath] = [:]
        for tunnel in tunnels {
            guard let route = routes[PathLookup(tunnel.definition)], let index = route.interface,
                let linkMTU = mtuOf(index)
            else { continue }
            paths[tunnel.id] = UnderlayPath(
                ifindex: Int32(bitPattern: index), mtu: route.mtu.map { Int($0) } ?? linkMTU,
                prefixLength: Int(route.prefixLength))
        }
        return paths
    }

    private func readMTU(of index: UInt32) -> Int? {
        (try? socket.execute(.readLink(index)))?.first?.link?.mtu.map { Int($0) }
    }
}
