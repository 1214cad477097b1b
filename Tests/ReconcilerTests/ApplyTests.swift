import GRDB
import ModelHost
import Synchronization
import Testing
import Tunnels

@testable import Reconciler
@testable import TunnelStore

/// A whole set at once.
@Suite struct ApplyTests {
    @Test func aSetIsCreatedChangedAndPruned() async throws {
        let daemon = try await Daemon()
        #expect(await daemon.apply([try definition(1), try definition(2)]).words == "create create")
        try daemon.expectAgreement()
        let second = try definition(2) { $0.mtu = 1400 }
        let outcome = await daemon.apply([try definition(3), second], prune: true)
        #expect(outcome.words == "create change delete")
        try daemon.expectAgreement()
        #expect(try daemon.store.tunnels().map(\.name.text).sorted() == ["tun_2", "tun_3"])
        #expect(try daemon.view("tun_2")?.tunnel.revision == 2)
        #expect(try daemon.events() == [.created, .created, .created, .updated, .deleted])
        let actors = try daemon.store.events(after: 0, limit: 10).map(\.event.actor)
        #expect(actors == Array(repeating: "test", count: 5))
    }

    @Test func withoutPruneNothingIsDeleted() async throws {
        let daemon = try await Daemon()
        await daemon.apply([try definition(1)])
        #expect(await daemon.apply([try definition(2)]).words == "create")
        #expect(try daemon.store.tunnels().count == 2)
        #expect(await daemon.apply([]).words == "")
        #expect(await daemon.apply([], prune: true).words == "delete delete")
        try daemon.expectAgreement()
        #expect(daemon.plane.host.links.map(\.name) == ["lo", "eth0", "tunl0"])
    }

    @Test func anUnchangedSetWritesNothing() async throws {
        let daemon = try await Daemon()
        let set = try (1...20).map { try definition($0) }
        await daemon.apply(set)
        let before = daemon.plane.applied.count
        let written = try daemon.store.totalChanges()
        let outcome = await daemon.apply(set, prune: true)
        #expect(try outcome.get().items.allSatisfy { $0.action == .keep })
        #expect(try outcome.get().revision == 20)
        #expect(daemon.plane.applied.count == before)
        #expect(try daemon.store.totalChanges() == written)
        #expect(try daemon.events().count == 20)
    }

    @Test func whatTheKernelDoesNotKnowOfIsNotAskedOfIt() async throws {
        let daemon = try await Daemon()
        await daemon.apply([try definition(1)])
        let before = daemon.plane.applied.count
        let renamed = try definition(1) {
            $0.comment = "new"
            $0.labels = ["site": "a"]
        }
        #expect(await daemon.apply([renamed]).words == "change")
        #expect(daemon.plane.applied.count == before)
        try daemon.expectAgreement()
    }

    @Test func newTunnelsAreSentInOneCallWithoutALook() async throws {
        let daemon = try await Daemon()
        daemon.plane.edit { $0.unreadable = .refused }
        #expect(try await daemon.apply((1...300).map { try definition($0) }).get().items.count == 300)
        #expect(daemon.plane.applied.map(\.count) == [300])
        daemon.plane.edit { $0.unreadable = nil }
        try daemon.expectAgreement()
    }

    // MARK: - Swaps

    @Test func namesAreSwapped() async throws {
        let daemon = try await Daemon()
        await daemon.apply([try definition(1), try definition(2), try definition(3)])
        let before = try daemon.store.tunnels()
        // 1 and 2 swap endpoints and addresses, so by name they swap all that is unique.
        let first = try definition(1) { first in
            let second = try definition(2)
            (first.remote, first.addresses, first.routes) = (second.remote, second.addresses, second.routes)
        }
        let second = try definition(2) { second in
            let first = try definition(1)
            (second.remote, second.addresses, second.routes) = (first.remote, first.addresses, first.routes)
        }
        #expect(await daemon.apply([first, second]).words == "change change")
        try daemon.expectAgreement()
        let after = try daemon.store.tunnels()
        #expect(after.map(\.id) == before.map(\.id))
        #expect(after.map(\.createdAt) == before.map(\.createdAt))
        #expect(after.map(\.revision) == [2, 2, 1])
        // Both were made anew, and counted as such; the third wasn't touched.
        #expect(try daemon.status("tun_1").epoch == 2)
        #expect(try daemon.status("tun_2").epoch == 2)
        #expect(try daemon.status("tun_3").epoch == 1)
        #expect(try daemon.store.epochs() == [after[0].id: 2, after[1].id: 2])
        #expect(await daemon.apply([try definition(1), try definition(2)]).words == "change change")
        #expect(try daemon.store.epochs() == [after[0].id: 3, after[1].id: 3])
        try daemon.expectAgreement()
    }

    @Test func addressesAndRoutesAreHandedOnWithoutALinkLost() async throws {
        let daemon = try await Daemon()
        await daemon.apply([try definition(1), try definition(2)])
        let links = daemon.plane.host.links.map(\.ifindex)
        let first = try definition(1) { $0.routes = try definition(2).routes }
        let second = try definition(2) { $0.routes = try definition(1).routes }
        #expect(await daemon.apply([first, second]).words == "change change")
        try daemon.expectAgreement()
        let third = try definition(1) { $0.addresses = try definition(2).addresses }
        let fourth = try definition(2) { $0.addresses = try definition(1).addresses }
        #expect(await daemon.apply([third, fourth]).words == "change change")
        try daemon.expectAgreement()
        #expect(daemon.plane.host.links.map(\.ifindex) == links)
    }

    @Test func aNewTunnelGetsWhatAnotherGivesUp() async throws {
        let daemon = try await Daemon()
        await daemon.apply([try definition(1), try definition(2)])
        // 3 gets the endpoints of 1, which goes, and the address of 2, which stays.
        let third = try definition(3) {
            $0.remote = try definition(1).remote
            $0.addresses = try definition(2).addresses
            $0.routes = try definition(1).routes
        }
        let second = try definition(2) { $0.addresses = [] }
        #expect(await daemon.apply([third, second], prune: true).words == "create change delete")
        try daemon.expectAgreement()
    }

    @Test func aTunnelOfTheSetMayBeAnothersUnderlay() async throws {
        let daemon = try await Daemon()
        let inner = try definition(1) { $0.underlay = try name("tun_2") }
        #expect(await daemon.apply([inner, try definition(2)]).words == "create create")
        try daemon.expectAgreement()
        let circle = try definition(2) { $0.underlay = try name("tun_3") }
        let refused = await daemon.apply([try definition(3) { $0.underlay = try name("tun_4") }, circle])
        #expect(refused.words == "items: 0 tun_3")
        try daemon.expectAgreement()
    }

    // MARK: - Refusals

    /// The k-th of a set can't be, for many k: database and kernel are as before, and the answer names it.
    @Test func aRefusalOfTheKernelLeavesNothing() async throws {
        for refused in stride(from: 1, through: 40, by: 3) {
            let daemon = try await Daemon()
            await daemon.apply(try (30...50).map { try definition($0) })
            let (tunnels, links) = (try daemon.store.tunnels(), daemon.plane.host.links)
            let (views, events) = (daemon.reconciler.directory.views, try daemon.events())
            let set = try (1...40).map { number in
                try definition(number) { if number >= 30 { $0.mtu = 1400 } }
            }
            daemon.plane.refuse { $0.name == "tun_\(refused)" && $0.operations != [.delete] }
            let answer = await daemon.apply(set, prune: true)
            daemon.plane.refuseNothing()
            #expect(answer.words == "items: \(refused - 1) tun_\(refused)")
            #expect(try daemon.store.tunnels() == tunnels)
            #expect(daemon.plane.host.links == links)
            #expect(try daemon.events() == events)
            #expect(zip(daemon.reconciler.directory.views, views).allSatisfy { $0.tunnel == $1.tunnel })
            #expect(daemon.reconciler.directory.revision == 21)
            try daemon.expectAgreement()
        }
    }

    @Test func allThatIsRefusedIsTold() async throws {
        let daemon = try await Daemon()
        daemon.plane.refuse { ["tun_3", "tun_5"].contains($0.name) }
        let answer = await daemon.apply(try (1...6).map { try definition($0) })
        guard case .failure(.items(let items)) = answer else {
            Issue.record("\(answer.words)")
            return
        }
        #expect(items.map(\.position) == [2, 4])
        #expect(items.map(\.problem.kernelMessage) == ["the kernel's words", "the kernel's words"])
        #expect(try daemon.store.tunnels() == [])
        #expect(daemon.plane.host.links.map(\.name) == ["lo", "eth0", "tunl0"])
    }

    @Test func aRefusalCostsNoLinkThatWouldBePruned() async throws {
        let daemon = try await Daemon()
        await daemon.apply([try definition(1)])
        let link = daemon.link("tun_1")
        daemon.plane.refuse { $0.name == "tun_2" }
        #expect(await daemon.apply([try definition(2)], prune: true).words == "items: 0 tun_2")
        #expect(daemon.link("tun_1") == link)
        #expect(try daemon.status("tun_1").epoch == 1)
    }

    @Test func aSwapThatIsRefusedIsUndone() async throws {
        for refused in 1...3 {
            let daemon = try await Daemon()
            await daemon.apply(try (1...3).map { try definition($0) })
            let tunnels = try daemon.store.tunnels()
            let rotated = try (1...3).map { number in
                try definition(number) { $0.remote = try definition(number % 3 + 1).remote }
            }
            daemon.plane.refuse { plan in
                plan.name == "tun_\(refused)" && plan.operations != [.delete] && plan.changesRemote(from: refused)
            }
            #expect(await daemon.apply(rotated).words == "items: \(refused - 1) tun_\(refused)")
            daemon.plane.refuseNothing()
            #expect(try daemon.store.tunnels() == tunnels)
            try daemon.expectAgreement()
        }
    }

    @Test func aCommitThatFailsUndoesTheKernel() async throws {
        let daemon = try await Daemon()
        await daemon.apply([try definition(1), try definition(2)])
        let (tunnels, links) = (try daemon.store.tunnels(), daemon.plane.host.links.filter { $0.name != "tun_2" })
        let commits = try Commits(daemon.store)
        commits.failNext()
        let set = [try definition(1) { $0.mtu = 1400 }, try definition(3)]
        let answer = await daemon.apply(set, prune: true)
        #expect(answer.words.hasPrefix("storage"))
        #expect(try daemon.store.tunnels() == tunnels)
        #expect(daemon.plane.host.links.filter { $0.name != "tun_2" } == links)
        try daemon.expectAgreement()
        // Its link was gone when the commit failed, so it is another one now.
        #expect(try daemon.status("tun_2").epoch == 2)
    }

    // MARK: - The set's revision

    @Test func theRevisionGuardsTheSet() async throws {
        let daemon = try await Daemon()
        #expect(daemon.reconciler.directory.revision == 0)
        #expect(try await daemon.apply([try definition(1)], if: [0]).get().revision == 1)
        #expect(await daemon.apply([try definition(2)], if: [0]).words == "set: 1")
        await daemon.write(.put(try definition(3)))
        #expect(daemon.reconciler.directory.revision == 2)
        #expect(await daemon.apply([try definition(2)], if: [1]).words == "set: 2")
        #expect(await daemon.apply([try definition(2)], if: [1, 2]).words == "create")
        #expect(try await daemon.apply([try definition(2)], if: [3]).get().revision == 3)
        let again = try await Daemon(store: daemon.store, host: daemon.plane.host)
        #expect(again.reconciler.directory.revision == 3)
    }

    @Test func ofTwoWhoRaceOneWins() async throws {
        let daemon = try await Daemon()
        var wins = [0, 0]
        for round in 1...200 {
            let revision = daemon.reconciler.directory.revision
            let sets = try [1, 2].map { client in
                try (1...4).map { number in try definition(number) { $0.comment = "\(client) \(round)" } }
            }
            async let first = daemon.apply(sets[0], if: [revision])
            async let second = daemon.apply(sets[1], if: [revision])
            let answers = await [first, second]
            let won = answers.filter { (try? $0.get()) != nil }.count
            #expect(won == 1)
            for (client, answer) in answers.enumerated() {
                if (try? answer.get()) != nil { wins[client] += 1 } else { #expect(answer.words.hasPrefix("set: ")) }
            }
            let comments = Set(try daemon.store.tunnels().map(\.definition.comment))
            #expect(comments.count == 1)
        }
        #expect(wins[0] + wins[1] == 200)
        try daemon.expectAgreement()
    }

    // MARK: - Scope

    @Test func onlyTheScopeIsTouched() async throws {
        let daemon = try await Daemon()
        let scope = TunnelSet.Scope(key: "site", value: "a")
        func at(_ site: String, _ number: Int) throws -> TunnelDefinition {
            try definition(number) { $0.labels = ["site": site] }
        }
        await daemon.apply([try at("a", 1), try at("a", 2), try at("b", 3), try definition(4)])
        #expect(await daemon.apply([try at("a", 1)], prune: true, scope: scope).words == "keep delete")
        #expect(try daemon.store.tunnels().count == 3)
        #expect(await daemon.apply([try at("a", 3)], scope: scope).words == "conflicts: /tunnels/0/name")
        let taken = try at("a", 5)
        var thief = taken
        thief.remote = try definition(4).remote
        thief.addresses.append(contentsOf: try definition(3).addresses)
        let answer = await daemon.apply([try at("a", 1), thief], scope: scope)
        #expect(answer.words == "conflicts: /tunnels/1/addresses/1, /tunnels/1/remote")
        try daemon.expectAgreement()
    }

    @Test func aRevisionOfOneTunnelGuardsTheWhole() async throws {
        let daemon = try await Daemon()
        await daemon.apply([try definition(1)])
        let changed = TunnelSet.Item(try definition(1) { $0.mtu = 1400 }, revision: 2)
        let fresh = TunnelSet.Item(try definition(2), revision: 1)
        let answer = await daemon.apply(Apply(TunnelSet([changed, fresh]), author: "test"))
        #expect(answer.words == "conflicts: /tunnels/0/revision, /tunnels/1/revision")
        #expect(try daemon.view("tun_1")?.tunnel.revision == 1)
    }

    @Test func moreThanTheHostHoldsIsRefused() async throws {
        var limits = Reconciler.Limits()
        limits.tunnels = 3
        let daemon = try await Daemon(limits: limits)
        #expect(await daemon.apply(try (1...4).map { try definition($0) }).words == "too many: 3")
        #expect(try await daemon.apply(try (1...3).map { try definition($0) }).get().items.count == 3)
        #expect(await daemon.apply([try definition(4)]).words == "too many: 3")
        #expect(try await daemon.apply(try (4...6).map { try definition($0) }, prune: true).get().items.count == 6)
        try daemon.expectAgreement()
    }

    // MARK: - Dry runs

    @Test func aDryRunTouchesNothingAndSaysWhatApplyDoes() async throws {
        let daemon = try await Daemon()
        await daemon.apply(try (1...6).map { try definition($0) })
        let (tunnels, links, calls) = (
            try daemon.store.tunnels(), daemon.plane.host.links, daemon.plane.applied.count
        )
        let written = try daemon.store.totalChanges()
        let swapped = try [1, 2].map { number in
            try definition(number) { $0.remote = try definition(3 - number).remote }
        }
        let set = swapped + [try definition(3), try definition(4) { $0.mtu = 1400 }, try definition(7)]
        let plan = try await daemon.apply(set, prune: true, isDryRun: true).get()
        #expect(plan.items.map(\.action) == [.change, .change, .keep, .change, .create, .delete, .delete])
        #expect(try daemon.store.tunnels() == tunnels)
        #expect(daemon.plane.host.links == links)
        #expect(daemon.plane.applied.count == calls)
        #expect(try daemon.store.totalChanges() == written)
        #expect(plan.revision == 6)

        let outcome = try await daemon.apply(set, prune: true).get()
        #expect(outcome.items.map(\.action) == plan.items.map(\.action))
        let applied = daemon.plane.applied[calls...].flatMap { $0 }
        #expect(applied.map(\.name) == plan.plans.map(\.name))
        #expect(applied.map(\.operations) == plan.plans.map(\.operations))
        try daemon.expectAgreement()
    }

    @Test func aDryRunTellsWhatStandsInTheWay() async throws {
        var host = ModelHost()
        host.addForeign(name: "tun_2", kind: "dummy")
        let daemon = try await Daemon(host: host)
        let answer = await daemon.apply(try (1...3).map { try definition($0) }, isDryRun: true)
        #expect(answer.words == "items: 1 tun_2")
    }

    // MARK: - Its turn

    @Test func aSetTakesItsTurnAmongOtherWrites() async throws {
        let daemon = try await Daemon()
        let order = Mutex<[String]>([])
        let definitions = try (1...4).map { try definition($0) }
        async let done: Void = withCheckedContinuation { continuation in
            daemon.reconciler.writer.async {
                daemon.reconciler.submit(Write(.put(definitions[0]), author: "test")) { _ in
                    order.withLock { $0.append("put 1") }
                }
                daemon.reconciler.apply(Apply(TunnelSet([TunnelSet.Item(definitions[1])]), author: "test")) { _ in
                    order.withLock { $0.append("apply 2") }
                }
                daemon.reconciler.submit(Write(.put(definitions[2]), author: "test")) { _ in
                    order.withLock { $0.append("put 3") }
                }
                daemon.reconciler.submit(Write(.put(definitions[3]), author: "test")) { _ in
                    order.withLock { $0.append("put 4") }
                    continuation.resume()
                }
            }
        }
        await done
        #expect(order.withLock { $0 } == ["put 1", "apply 2", "put 3", "put 4"])
        #expect(daemon.reconciler.counters.batches.load(ordering: .relaxed) == 3)
        try daemon.expectAgreement()
    }

    @Test func aStopRefusesASetThatWaits() async throws {
        let daemon = try await Daemon()
        await daemon.reconciler.stop()
        #expect(await daemon.apply([try definition(1)]).words == "stopping")
    }
}

extension TunnelPlan {
    /// Whether it gives `tun_<number>` another remote than its own.
    fileprivate func changesRemote(from number: Int) -> Bool {
        operations.contains { operation in
            switch operation {
            case .create(_, _, let parameters, _, _), .change(_, let parameters):
                parameters.remote != IPv4Address(bits: 0xAC10_0000 + UInt32(number))
            default: false
            }
        }
    }
}

extension TunnelStore {
    /// How many rows this connection has written (`sqlite3_total_changes`).
    func totalChanges() throws -> Int {
        try Int(access { $0.totalChangesCount })
    }
}
