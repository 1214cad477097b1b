internal import CBPF
internal import KernelDataPlane
internal import Netlink
internal import Tunnels

extension BPFCarrier {
    func look() throws(TunnelProblem) {
        try readConfigurations()
        if watch.takeFilters() {
            try findIncomplete()
            mendEndpoints()
        }
    }

    private func readConfigurations() throws(TunnelProblem) {
        do throws(BPFError) {
            let entries = try programs.configurations.entries()
            configurations = Dictionary(entries.map { ($0.key, $0.value) }) { first, _ in first }
        } catch {
            throw TunnelProblem(error)
        }
    }

    /// Takes in what was found of filters at the start, so that the first look needn't ask for each again. The monitor
    /// must listen already.
    func begin(with takeover: Takeover) throws(TunnelProblem) {
        guard watch.takeFilters() else { return }
        try readConfigurations()
        incomplete = Set(configurations.keys.filter { takeover.devices[$0] == nil })
        noteBare(underlays.attachedLinks.filter { takeover.underlays[$0] == nil })
        mendEndpoints()
    }

    /// Asks for the filter of each device and underlay.
    private func findIncomplete() throws(TunnelProblem) {
        let indexes = Array(configurations.keys)
        do throws(NetlinkError) {
            let outcomes = try socket.execute(indexes.map { .readFilter(TunnelPrograms.egressPlace(on: $0)) })
            incomplete = Set(
                zip(indexes, outcomes).compactMap { index, outcome in
                    programs.isEgress(outcome.filter) ? nil : index
                })
            noteBare(try underlays.bare())
        } catch {
            throw TunnelProblem(error)
        }
    }

    /// Tunnels lack something whose packets may come by an underlay that lost its program.
    private func noteBare(_ bare: Set<UInt32>) {
        guard !bare.isEmpty else { return }
        for (index, configuration) in configurations
        where underlays.links(of: configuration).contains(where: bare.contains) {
            incomplete.insert(index)
        }
    }

    /// Makes the map of endpoints, which the ingress program alone has, say what the configurations say. It doesn't where
    /// a daemon was killed between the two, and is a new one where no link had that program when this daemon took over.
    private func mendEndpoints() {
        guard let known = try? programs.endpoints.entries() else { return }
        var missing = Set(configurations.keys)
        for (endpoint, index) in known {
            if configurations[index]?.endpoint.isSame(as: endpoint) == true {
                missing.remove(index)
            } else {
                _ = try? programs.endpoints.remove(endpoint)
            }
        }
        for index in missing {
            guard let endpoint = configurations[index]?.endpoint else { continue }
            try? programs.endpoints.set(index, for: endpoint, .new)
        }
    }

    /// Puts back what somebody took away: the place for filters, the filter, or both.
    func attachAgain(_ indexes: [UInt32]) {
        for index in indexes {
            let requests = programs.attachment(to: index)
            changes.add(requests.count)
            // A place that is still there is no error.
            _ = try? socket.execute(requests)
            if let configuration = configurations[index] { underlays.attachAgain(underlays.links(of: configuration)) }
        }
    }

    func follow(_ ways: FoundWays) {
        let gone = configurations.keys.filter { ways.links[$0] == nil }
        if !gone.isEmpty { forget(gone) }
        underlays.forgetGone { ways.links[$0] != nil }
        if ways.isNews { underlays.readHost() }
        for (index, path) in ways.paths {
            guard let former = configurations[index] else { continue }
            var configuration = former
            configuration.follow(path)
            configuration.isUp = ways.links[index] ?? false
            guard !configuration.isSame(as: former) else { continue }
            do throws(BPFError) {
                try programs.configurations.set(configuration, for: index, .existing)
                configurations[index] = configuration
                changes.add(1)
                if !configuration.hasSameWay(as: former) { try programs.states.set(tun_state(), for: index) }
            } catch {
                // The next look tries again: the path still differs then.
                continue
            }
        }
        underlays.keep(for: configurations.values)
    }
}

extension NetlinkSocket.Outcome {
    /// The filter that was asked for; nil where there is none.
    var filter: TrafficFilter? { (try? get())?.first?.filter }
}
