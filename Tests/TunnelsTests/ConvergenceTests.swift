import ModelHost
import Testing
import Tunnels

/// What must hold of every plan, tried on thousands of random pairs of definition and link under the kernel's rules.
/// A failure names its seed.
@Suite struct ConvergenceTests {
    /// A host on which a tunnel once had another definition, and which somebody has meddled with since.
    private static func meddledHost(_ random: inout RandomTunnels, _ id: TunnelID) throws -> ModelHost {
        var host = ModelHost()
        if random.generator.once(in: 8) { return host }
        let former = tunnel(try random.definition(), id: id)
        _ = host.apply([try plan(for: former, in: host.observed(for: [former]))])
        host.pathMTU = random.generator.one(of: [1400, 1500])
        for _ in 0..<random.generator.below(6) {
            guard let link = host.link(of: id), let parameters = link.parameters else { break }
            try? host.perform(random.disturbance(of: parameters), on: link.ifindex)
        }
        return host
    }

    @Test(arguments: 0..<8) func aPlanAppliedAtMostThreeTimesLeavesNoDifference(_ part: UInt64) throws {
        for seed in part * 1000..<(part + 1) * 1000 {
            var random = RandomTunnels(seed: seed)
            let id = random.id()
            var host = try Self.meddledHost(&random, id)
            let wanted = tunnel(try random.definition(), id: id)
            try #require(wanted.definition.violations() == [], "seed \(seed)")
            let foreign = host.links.filter { $0.owner == nil }
            let former = host.link(of: id)

            var rounds = 0
            var plan = try plan(for: wanted, in: host.observed(for: [wanted]))
            while !plan.operations.isEmpty, rounds < 3 {
                rounds += 1
                #expect(!foreign.contains { $0.ifindex == plan.ifindex }, "seed \(seed)")
                let results = host.apply([plan])
                let problem = results.compactMap { result -> TunnelProblem? in
                    if case .failure(let problem) = result { problem } else { nil }
                }
                #expect(problem == [], "seed \(seed)")
                plan = try Tunnels.plan(for: wanted, in: host.observed(for: [wanted]))
            }
            #expect(plan.differences == [], "seed \(seed)")
            #expect(plan.operations == [], "seed \(seed)")
            #expect(host.links.filter { $0.owner == nil } == foreign, "seed \(seed)")
            // The link is changed in place, so that its counters go on.
            if let former { #expect(host.link(of: id)?.ifindex == former.ifindex, "seed \(seed)") }
        }
    }

    @Test func aDifferenceIsFoundExactlyWhereThereIsAnOperation() throws {
        for seed in 0..<4000 as Range<UInt64> {
            var random = RandomTunnels(seed: seed)
            let id = random.id()
            let host = try Self.meddledHost(&random, id)
            let wanted = tunnel(try random.definition(), id: id)
            let observed = host.observed(for: [wanted])
            let plan = try plan(for: wanted, in: observed)
            #expect(plan.differences.isEmpty == plan.operations.isEmpty, "seed \(seed)")
            #expect(!plan.operations.contains(.delete), "seed \(seed)")
            #expect(try Tunnels.plan(for: wanted, in: observed) == plan, "seed \(seed)")
            #expect((plan.ifindex == nil) == (host.link(of: id) == nil), "seed \(seed)")
        }
    }

    /// Twenty tunnels on one host, half of them without a definition now: links come and go, others aren't touched.
    @Test func aHostOfManyTunnelsIsMadeEqualAndPruned() throws {
        for seed in 0..<40 as Range<UInt64> {
            var host = ModelHost()
            let byHand = LinkParameters(local: nil, remote: IPv4Address(9, 9, 9, 9))
            host.addForeign(name: "by_hand", kind: "ipip", parameters: byHand)
            let foreign = host.links
            var wanted: [Tunnel] = []
            for number in 0..<20 {
                var random = RandomTunnels(seed: seed * 100 + UInt64(number), number: number)
                let id = random.id()
                let former = tunnel(try random.definition(), id: id)
                if random.generator.once(in: 2) {
                    _ = host.apply([try plan(for: former, in: host.observed(for: [former]))])
                }
                if let link = host.link(of: id), let parameters = link.parameters {
                    try? host.perform(random.disturbance(of: parameters), on: link.ifindex)
                }
                if random.generator.once(in: 2) { wanted.append(tunnel(try random.definition(), id: id)) }
            }
            for _ in 0..<3 {
                let observed = host.observed(for: wanted)
                _ = host.apply(prune(observed, keeping: Set(wanted.map(\.id))))
                let results = host.apply(try wanted.map { try plan(for: $0, in: observed) })
                #expect(results.allSatisfy { (try? $0.get()) != nil }, "seed \(seed)")
            }
            let observed = host.observed(for: wanted)
            #expect(prune(observed, keeping: Set(wanted.map(\.id))) == [], "seed \(seed)")
            for tunnel in wanted {
                #expect(try plan(for: tunnel, in: observed).differences == [], "seed \(seed)")
            }
            #expect(host.links.filter { $0.owner == nil } == foreign, "seed \(seed)")
            #expect(host.links.count == foreign.count + wanted.count, "seed \(seed)")
        }
    }

    @Test func aDefinitionThatIsItsFormersUndoneLeavesWhatWas() throws {
        for seed in 0..<2000 as Range<UInt64> {
            var random = RandomTunnels(seed: seed)
            let id = random.id()
            var host = ModelHost()
            let (first, second) = (
                tunnel(try random.definition(), id: id), tunnel(try random.definition(), id: id)
            )
            func reach(_ wanted: Tunnel) throws {
                for _ in 0..<3 { _ = host.apply([try plan(for: wanted, in: host.observed(for: [wanted]))]) }
            }
            try reach(first)
            let before = host.links
            try reach(second)
            try reach(first)
            #expect(host.links == before, "seed \(seed)")
        }
    }
}
