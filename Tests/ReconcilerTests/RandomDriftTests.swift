import ModelHost
import Testing
import TunnelStore
import Tunnels

@testable import Reconciler

/// Changes of every kind from outside, on tunnels of all policies: each difference is in the ledger once, and handled
/// as its tunnel's policy has it.
@Suite struct RandomDriftTests {
    private static let count = 30

    private static func definition(_ number: Int) throws -> TunnelDefinition {
        try ReconcilerTests.definition(number) {
            $0.driftPolicy = DriftPolicy.allCases[number % 3]
            if number % 2 == 0 { $0.mtu = 1400 }
        }
    }

    private static func change(
        of link: ObservedLink, _ number: Int, using random: inout SeededGenerator
    ) throws -> [Tunnels.Operation] {
        let net = UInt8(number)
        let addresses = (1...3).map {
            InterfaceAddress(local: IPv4Address(10, 200, net, UInt8($0)), prefixLength: 32)
        }
        let routes = (1...3).map {
            TunnelRoute(to: IPv4Prefix(containing: IPv4Address(10, 100, net, UInt8($0)), length: 32))
        }
        switch random.below(10) {
        case 0: return [.delete]
        case 1:
            let name = try name("tun_\(number)\(random.one(of: ["", "a", "b"]))")
            return [.setUp(false), .rename(to: name)] + (link.isUp ? [.setUp(true)] : [])
        case 2: return [.setUp(!link.isUp)]
        case 3: return [.setMTU(random.one(of: [1280, 1300, 1400]))]
        case 4, 5:
            let address = random.one(of: addresses)
            return [link.addresses.contains(address) ? .removeAddress(address) : .addAddress(address)]
        case 6:
            let route = random.one(of: routes)
            return link.isUp ? [link.routes.contains(route) ? .removeRoute(route) : .addRoute(route)] : []
        case 7: return random.one(of: link.routes.map { [.removeRoute($0)] } + [[]])
        default:
            var parameters = try #require(link.parameters)
            parameters.remote = IPv4Address(172, 18, net, UInt8(1 + random.below(3)))
            parameters.ttl = random.one(of: [.inherit, .fixed(9)])
            parameters.tos = random.one(of: [.inherit, .fixed(16)])
            parameters.fwmark = random.one(of: [0, 7])
            return [.change(kind: .ipip, parameters: parameters)]
        }
    }

    private struct Row: Hashable {
        let field: String
        let desired: String
        let observed: String
    }

    @Test(arguments: [1, 2] as [UInt64]) func eachOfFiveHundredIsRecordedOnceAndHandled(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let daemon = try await Daemon()
        var ids: [TunnelID] = []
        for number in 0..<Self.count {
            let answer = await daemon.write(.create(try Self.definition(number)))
            ids.append(try #require(answer.view).tunnel.id)
        }
        var changed = 0
        for step in 0..<500 {
            let number = random.below(Self.count)
            let id = ids[number]
            let before = try #require(daemon.reconciler.directory.view(.id(id)))
            guard let link = daemon.plane.host.link(of: id) else {
                // An alert tunnel whose link is gone: a write brings it back.
                #expect(before.tunnel.definition.driftPolicy == .alert)
                await daemon.write(.put(before.tunnel.definition))
                continue
            }
            let rowsBefore = try daemon.store.drifts(of: id, before: nil, limit: 1000, isOpen: false)
            let operations = try Self.change(of: link, number, using: &random)
            daemon.plane.edit { state in
                for operation in operations {
                    try? state.host.perform(operation, on: link.ifindex)
                    state.notes += operation.note(on: link.ifindex, by: nil)
                }
            }
            let host = daemon.plane.host
            // What differs now and didn't before.
            let open = Set(
                rowsBefore.filter { $0.end == nil }.map {
                    Row(field: $0.field, desired: $0.desired, observed: $0.observed)
                })
            let differences = try plan(for: before.tunnel, in: host.observed(for: [before.tunnel])).differences
            let expected = Set(
                differences.map {
                    Row(field: $0.summary.field, desired: $0.summary.desired, observed: $0.summary.observed)
                }
            ).subtracting(open)
            await daemon.kernelChanged()
            let rows = try daemon.store.drifts(of: id, before: nil, limit: 1000, isOpen: false)
            let new = rows.prefix(rows.count - rowsBefore.count)
            #expect(new.count == expected.count, "step \(step): \(operations)")
            #expect(
                Set(new.map { Row(field: $0.field, desired: $0.desired, observed: $0.observed) }) == expected,
                "step \(step): \(operations)")
            changed += new.isEmpty ? 0 : 1

            let view = try #require(daemon.reconciler.directory.view(.id(id)))
            let after = try plan(for: view.tunnel, in: daemon.plane.host.observed(for: [view.tunnel])).differences
            switch before.tunnel.definition.driftPolicy {
            case .enforce:
                #expect(after == [] && view.tunnel == before.tunnel, "step \(step)")
                #expect(rows.allSatisfy { $0.end?.outcome == .repaired })
            case .alert:
                #expect(daemon.plane.host.link(of: id) == host.link(of: id), "step \(step)")
                #expect(
                    view.status.state == (after.isEmpty ? (view.tunnel.definition.enabled ? .up : .down) : .drifted))
                #expect(rows.filter { $0.end == nil }.count == after.count, "step \(step)")
            case .adopt:
                #expect(after == [] && view.status.problem == nil, "step \(step): \(view.status)")
                #expect(rows.allSatisfy { [.adopted, .repaired].contains($0.end?.outcome) })
                if host.link(of: id) != nil {
                    let isSame = daemon.plane.host.link(of: id)?.parameters == host.link(of: id)?.parameters
                    #expect(isSame, "step \(step)")
                }
            }
            // Slow enough for the pace of repairs.
            await daemon.advance(by: .seconds(1))
        }
        #expect(changed > 300)
        #expect(try !daemon.events().contains(.repairSuspended))
    }
}
