internal import Netlink
public import Tunnels

/// What decides the way of a tunnel's outer packets.
struct PathLookup: Hashable {
    let remote: IPv4Address
    /// nil leaves it to the way, and then the carrier may have to know it.
    let local: IPv4Address?
    let mark: UInt32?
    /// The underlay's ifindex; nil for whichever the route names.
    let underlay: UInt32?

    /// nil for a link without a remote.
    init?(_ parameters: LinkParameters) {
        guard let remote = parameters.remote else { return nil }
        self.remote = remote
        local = parameters.local
        mark = parameters.fwmark == 0 ? nil : parameters.fwmark
        underlay = parameters.underlay == 0 ? nil : UInt32(bitPattern: parameters.underlay)
    }

    /// - Parameter index: of a link by its name.
    init(_ definition: TunnelDefinition, indexOf index: (String) -> UInt32?) {
        remote = definition.remote
        local = definition.local
        mark = definition.fwmark
        underlay = definition.underlay.flatMap { index($0.text) }
    }
}

extension PathLookup {
    fileprivate func request(from source: IPv4Address?, matching: RouteLookup) -> Request {
        .lookUpRoute(
            to: IPv4(remote), mark: mark, interface: underlay, source: source.map { IPv4($0) }, matching: matching)
    }
}

/// What a look-up found, and when.
struct KnownWay {
    /// nil where there was none.
    let way: Way?
    /// `KernelDataPlane.routeAge` at that time.
    let age: Int
}

/// The kernel's answer to a look-up.
struct Way {
    /// The entry of the table that matched.
    let route: Route
    /// What the kernel takes as source of packets that go there; nil unless the carrier needs it.
    let source: IPv4Address?

    /// - Parameter linkMTU: of the link that it leaves by.
    func path(linkMTU: Int) -> UnderlayPath? {
        guard let index = route.interface else { return nil }
        return UnderlayPath(
            ifindex: Int32(bitPattern: index), mtu: route.mtu.map { Int($0) } ?? linkMTU,
            prefixLength: Int(route.prefixLength),
            isInMain: route.table == Route.mainTable || route.table == Route.defaultTable, source: source)
    }
}

extension KernelDataPlane {
    public func paths(of tunnels: [Tunnel]) throws(TunnelProblem) -> [TunnelID: UnderlayPath] {
        do throws(NetlinkError) {
            let underlays = try indexes(of: tunnels.compactMap(\.definition.underlay?.text))
            let lookups = tunnels.map { PathLookup($0.definition) { underlays[$0] } }
            let paths = paths(by: try ways(for: lookups))
            return Dictionary(
                zip(tunnels.map(\.id), lookups).compactMap { id, lookup in paths[lookup].map { (id, $0) } }
            ) {
                first, _ in first
            }
        } catch {
            throw TunnelProblem(error)
        }
    }

    /// The ways that links need which the plans make or change.
    func paths(ofLinksIn plans: [TunnelPlan]) -> [PathLookup: UnderlayPath] {
        guard carrier.needsPaths else { return [:] }
        let lookups = plans.flatMap(\.operations).compactMap { operation in
            switch operation {
            case .create(_, _, let parameters, _, _), .change(_, let parameters): PathLookup(parameters)
            default: nil
            }
        }
        // Where the kernel can't be asked there is no way for now; the next look asks again.
        return paths(by: (try? ways(for: lookups)) ?? [:])
    }

    /// The ways of links as they are set now.
    func paths(of links: [LinkParameters]) throws(NetlinkError) -> [PathLookup: UnderlayPath] {
        paths(by: try ways(for: links.compactMap { PathLookup($0) }))
    }

    /// The same from what was looked up before. A look-up for each of a thousand remotes costs more than all the rest
    /// of a look, so what may have changed is looked up again a part at a time, and until then taken as it was.
    func knownWays(for lookups: Set<PathLookup>) throws(NetlinkError) -> [PathLookup: KnownWay] {
        if watch.takeUnderlay() { routeAge += 1 }
        // One more than may be, to know whether some are left.
        let outdated = lookups.lazy.filter { self.knownWays[$0]?.age != self.routeAge }.prefix(lookupsInLook + 1)
        var due = Array(outdated)
        hasMoreToSee = due.count > lookupsInLook
        if hasMoreToSee { due.removeLast() }
        if !due.isEmpty {
            let found = try ways(for: due)
            for lookup in due { knownWays[lookup] = KnownWay(way: found[lookup], age: routeAge) }
        }
        if knownWays.count > 2 * lookups.count + lookupsInLook {
            knownWays = knownWays.filter { lookups.contains($0.key) }
        }
        return knownWays
    }

    /// Packets wait for a carrier that must know; an MTU may follow later.
    private var lookupsInLook: Int { carrier.needsPaths ? 4096 : 128 }

    /// Asks once for each way, however many tunnels go it.
    private func ways(for lookups: [PathLookup]) throws(NetlinkError) -> [PathLookup: Way] {
        let lookups = Array(Set(lookups))
        let open = carrier.needsPaths ? lookups.filter { $0.local == nil } : []
        // Both kinds of look-up in one send.
        let answers = try routes(lookups.map { ($0, .entry) } + open.map { ($0, .destination) })
        let sources = Dictionary(zip(open, answers[lookups.count...].map { $0?.preferredSource })) { first, _ in first }
        var found = [PathLookup: Way](minimumCapacity: lookups.count)
        let chosen = try chosenLinks(for: zip(lookups, answers).filter { $1?.isForked ?? false }.map(\.0))
        for (lookup, answer) in zip(lookups, answers) {
            // By an underlay that has no route the kernel takes the remote to be on the link itself.
            let onLink = lookup.underlay.map { Route(.any, prefixLength: 0, interface: $0) }
            guard var route = answer ?? onLink else { continue }
            if let chosen = chosen[lookup] { route.interface = chosen }
            found[lookup] = Way(route: route, source: sources[lookup].flatMap { $0 }.map { IPv4Address($0) })
        }
        return found
    }

    /// The links that the kernel chooses for remotes whose route has several, or a next hop of its own.
    private func chosenLinks(for lookups: [PathLookup]) throws(NetlinkError) -> [PathLookup: UInt32] {
        guard !lookups.isEmpty else { return [:] }
        let routes = try routes(lookups.map { ($0, .destination) })
        return Dictionary(zip(lookups, routes).compactMap { lookup, route in route?.interface.map { (lookup, $0) } }) {
            first, _ in first
        }
    }

    /// The answers to look-ups. No way to the remote is no error here: there may be one later.
    private func routes(_ asked: [(lookup: PathLookup, matching: RouteLookup)]) throws(NetlinkError) -> [Route?] {
        var answers = try routes(asked.map { $0.lookup.request(from: $0.lookup.local, matching: $0.matching) })
        // There is no way from an address that isn't the host's, as one that comes later; so from any.
        let strange = asked.indices.filter { asked[$0].lookup.local != nil && answers[$0] == nil }
        let others = try routes(strange.map { asked[$0].lookup.request(from: nil, matching: asked[$0].matching) })
        for (position, answer) in zip(strange, others) { answers[position] = answer }
        return answers
    }

    private func routes(_ requests: [Request]) throws(NetlinkError) -> [Route?] {
        try socket.execute(requests).map { outcome in (try? outcome.get())?.first?.route }
    }

    private func indexes(of names: [String]) throws(NetlinkError) -> [String: UInt32] {
        let names = Array(Set(names))
        var indexes: [String: UInt32] = [:]
        for (name, outcome) in zip(names, try socket.execute(names.map { .readLink(named: $0) })) {
            if case .success(let messages) = outcome { indexes[name] = messages.first?.link?.index }
        }
        return indexes
    }

    private func paths(by ways: [PathLookup: Way]) -> [PathLookup: UnderlayPath] {
        ways.compactMapValues { way in
            guard let index = way.route.interface else { return nil }
            return linkMTU(index).flatMap { way.path(linkMTU: $0) }
        }
    }

    /// One that changed since the last look is followed by the next one.
    func linkMTU(_ index: UInt32) -> Int? {
        if linkMTUs[index] == nil {
            linkMTUs[index] = (try? socket.execute(.readLink(index)))?.first?.link?.mtu.map { Int($0) }
        }
        return linkMTUs[index]
    }
}

extension Route {
    /// An entry with several next hops, or one that stands elsewhere (`RTA_MULTIPATH`, `RTA_NH_ID`), names no link.
    fileprivate var isForked: Bool { interface == nil && type == .unicast }
}
