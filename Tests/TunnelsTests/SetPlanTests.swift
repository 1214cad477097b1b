import ModelHost
import Testing
import Tunnels

/// Sets against sets, tried on random ones that meet in names, endpoints, addresses and routes. A failure names its seed.
@Suite struct SetPlanTests {
    /// Up to three tunnels that could stand on one host together.
    private static func set(_ random: inout RandomTunnels) throws -> [TunnelDefinition] {
        for _ in 0..<1000 {
            var routes: Set<TunnelRoute> = []
            var names = random.names.shuffled(using: &random.generator)
            let definitions = try (0..<random.generator.below(4)).map { _ in
                var definition = try random.definition()
                definition.name = try InterfaceName(names.removeLast())
                definition.routes = definition.routes.filter { routes.insert($0).inserted }
                return definition
            }
            if TunnelSet.violations(of: definitions, scope: nil, limit: 1).isEmpty { return definitions }
        }
        return []
    }

    private static func change(
        to definitions: [TunnelDefinition], from present: [Tunnel], prune: Bool = true
    ) throws -> SetChange {
        var ids = TunnelIDSequence(at: now)
        let set = TunnelSet(definitions.map { TunnelSet.Item($0) }, isPruning: prune)
        return try SetChange(to: set, from: present, at: now, ids: &ids, limit: 10)
    }

    /// Carries a change out as the reconciler does.
    private static func carryOut(_ change: SetChange, on host: inout ModelHost, _ context: String) throws {
        let targets = change.steps.compactMap { step -> LinkTarget? in
            guard let id = (step.wanted ?? step.former)?.id else { return nil }
            return LinkTarget(step, id: id, ifindex: host.link(of: id)?.ifindex)
        }
        var open = Array(targets.indices)
        var last: [TunnelPlan] = []
        for _ in 0..<5 where !open.isEmpty {
            let wanted = targets.compactMap(\.wanted)
            let plan = setPlan(for: targets, open: open, in: host.observed(for: wanted), on: .kernel)
            #expect(plan.refusals.isEmpty && plan.waiting.isEmpty, "\(context)")
            last += plan.last.map(\.plan)
            let results = host.apply(plan.plans.map(\.plan))
            for (result, plan) in zip(results, plan.plans) {
                if case .failure(let problem) = result { Issue.record("\(context): \(plan) \(problem)") }
            }
            open = Array(Set(plan.plans.map(\.target))).sorted()
        }
        #expect(open == [], "\(context)")
        _ = host.apply(last)
    }

    @Test(arguments: 0..<8) func aSetIsReachedFromAnyOther(_ part: UInt64) throws {
        for seed in part * 100..<(part + 1) * 100 {
            var random = RandomTunnels(seed: seed)
            var host = ModelHost()
            host.addForeign(
                name: "by_hand", kind: "ipip", parameters: LinkParameters(local: nil, remote: IPv4Address(9, 9, 9, 9)))
            let foreign = host.links
            var present: [Tunnel] = []
            for round in 0..<4 {
                let context = "seed \(seed) round \(round)"
                let change = try Self.change(to: try Self.set(&random), from: present)
                let before = present
                try Self.carryOut(change, on: &host, context)
                present = change.items.compactMap(\.wanted).sorted { $0.name < $1.name }
                let observed = host.observed(for: present)
                for tunnel in present {
                    #expect(try plan(for: tunnel, in: observed).differences == [], "\(context)")
                }
                #expect(prune(observed, keeping: Set(present.map(\.id))) == [], "\(context)")
                #expect(host.links.filter { $0.owner == nil } == foreign, "\(context)")
                // Who was there by that name still is.
                for tunnel in before {
                    if let now = present.first(where: { $0.name == tunnel.name }) { #expect(now.id == tunnel.id) }
                }
            }
        }
    }

    @Test func onlyLinksInAnothersPlaceAreMadeAnew() throws {
        for seed in 0..<500 as Range<UInt64> {
            var random = RandomTunnels(seed: seed)
            var host = ModelHost()
            let first = try Self.change(to: try Self.set(&random), from: [])
            try Self.carryOut(first, on: &host, "seed \(seed)")
            let present = first.items.compactMap(\.wanted).sorted { $0.name < $1.name }
            let links = Dictionary(
                uniqueKeysWithValues: host.links.compactMap { link in link.owner.map { ($0, link) } })
            let second = try Self.change(to: try Self.set(&random), from: present)
            try Self.carryOut(second, on: &host, "seed \(seed)")
            let places = second.items.compactMap { item in
                item.wanted.map { ($0.id, $0.definition.uniqueValues.prefix(2)) }
            }
            for item in second.items {
                guard let former = item.former, item.wanted != nil, let link = links[former.id] else { continue }
                let place = former.definition.uniqueValues.prefix(2)
                let isWanted = places.contains { id, values in
                    id != former.id && !Set(values).isDisjoint(with: place)
                }
                #expect((host.link(of: former.id)?.ifindex == link.ifindex) == !isWanted, "seed \(seed)")
            }
        }
    }

    @Test func theSameSetIsNoChange() throws {
        for seed in 0..<200 as Range<UInt64> {
            var random = RandomTunnels(seed: seed)
            let set = try Self.set(&random)
            let present = try Self.change(to: set, from: []).items.compactMap(\.wanted).sorted { $0.name < $1.name }
            let change = try Self.change(to: set.shuffled(using: &random.generator), from: present)
            #expect(change.steps.isEmpty)
            #expect(change.items.map(\.action) == set.map { _ in .keep })
        }
    }

    @Test func deletesThatNobodyWaitsForComeLast() throws {
        let kept = try definition()
        let gone = try definition {
            $0.name = try name("tun_b")
            $0.remote = IPv4Address(172, 16, 1, 63)
            $0.routes = [try route("10.0.0.0/8")]
        }
        let present = [tunnel(kept), tunnel(gone, id: id(2))]
        func plan(for definitions: [TunnelDefinition]) throws -> SetPlan {
            let change = try Self.change(to: definitions, from: present)
            let targets = change.steps.compactMap { step in
                (step.wanted ?? step.former).map { LinkTarget(step, id: $0.id, ifindex: step.former == nil ? nil : 9) }
            }
            return setPlan(
                for: targets, open: Array(targets.indices), in: ObservedState(links: []), on: .kernel)
        }
        let new = try definition {
            $0.name = try name("tun_c")
            $0.remote = IPv4Address(172, 16, 1, 64)
        }
        let free = try plan(for: [kept, new])
        #expect(free.plans.map(\.plan.name) == ["tun_c"])
        #expect(free.last.map(\.plan.name) == ["tun_b"])
        for edit in [
            { (new: inout TunnelDefinition) in new.remote = gone.remote }, { $0.routes = gone.routes },
        ] {
            var heir = new
            edit(&heir)
            let plan = try plan(for: [kept, heir])
            #expect(plan.plans.map(\.plan.name) == ["tun_b", "tun_c"])
            #expect(plan.last.isEmpty)
        }
    }

    // MARK: - Sets that can't be

    @Test func whatOnlyOneCanHaveIsToldOfBoth() throws {
        let first = try definition { $0.addresses = [try address("192.168.1.1/24")] }
        let second = try definition {
            $0.remote = IPv4Address(172, 16, 1, 63)
            $0.addresses = [try address("192.168.2.1/24"), try address("192.168.1.1/32")]
        }
        let third = try definition { $0.name = try name("tun_c") }
        let violations = TunnelSet.violations(of: [first, nil, second, third], scope: nil, limit: 100)
        #expect(
            violations.map(\.pointer) == [
                "/tunnels/0/name", "/tunnels/2/name", "/tunnels/0/addresses/0", "/tunnels/2/addresses/1",
                "/tunnels/0/remote", "/tunnels/3/remote",
            ])
        #expect(TunnelSet.violations(of: [first, second, third], scope: nil, limit: 3).count == 3)
    }

    @Test func eachBearsTheScopesLabel() throws {
        let scope = TunnelSet.Scope(key: "site", value: "a")
        let inside = try definition { $0.labels = ["site": "a", "x": "y"] }
        let outside = try definition {
            $0.name = try name("tun_b")
            $0.remote = IPv4Address(172, 16, 1, 63)
            $0.labels = ["site": "b"]
        }
        let violations = TunnelSet.violations(of: [inside, outside], scope: scope, limit: 100)
        #expect(violations.map(\.pointer) == ["/tunnels/1/labels"])
    }

    @Test func manyIdsOfOneMomentAreInOrder() {
        var ids = TunnelIDSequence(at: now)
        let made = (0..<10_000).map { _ in ids.next() }
        #expect(made == made.sorted())
        #expect(Set(made).count == 10_000)
    }
}
