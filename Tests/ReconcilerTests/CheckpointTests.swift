import GRDB
import ModelHost
import Testing
import Tunnels

@testable import Reconciler
@testable import TunnelStore

/// Changes that go back unless they are confirmed.
@Suite struct CheckpointTests {
    /// Three tunnels, and a change that deletes the first, changes the second, leaves the third and makes a fourth.
    func changed(
        _ daemon: Daemon, within seconds: Int = 60, probe: Checkpoint.Probe? = nil
    ) async throws -> (before: [Tunnel], checkpoint: Checkpoint) {
        for number in 1...3 { await daemon.write(.create(try definition(number) { $0.labels = ["n": "\(number)"] })) }
        let before = try stored(daemon)
        let checkpoint = try await change(daemon, within: seconds, probe: probe)
        return (before, try #require(checkpoint))
    }

    @discardableResult
    func change(
        _ daemon: Daemon, within seconds: Int = 60, probe: Checkpoint.Probe? = nil
    ) async throws -> Checkpoint? {
        let third = try #require(try daemon.view("tun_3")).tunnel.definition
        let set = [try definition(2) { $0.mtu = 1300 }, third, try definition(4)].map { TunnelSet.Item($0) }
        let apply = Apply(
            TunnelSet(set, isPruning: true), author: "test",
            confirmation: Confirmation(within: seconds, probe: probe))
        return try await daemon.apply(apply).get().checkpoint
    }

    private func stored(_ daemon: Daemon) throws -> [Tunnel] {
        try daemon.store.tunnels().sorted { $0.name < $1.name }
    }

    func names(_ daemon: Daemon) throws -> [String] { try stored(daemon).map(\.name.text) }

    /// The definitions are those, each with a revision more where the change had touched it, and the kernel has them.
    func expectBack(_ before: [Tunnel], _ daemon: Daemon, at location: SourceLocation = #_sourceLocation) throws {
        let after = try stored(daemon)
        #expect(after.map(\.id) == before.map(\.id), sourceLocation: location)
        #expect(after.map(\.definition) == before.map(\.definition), sourceLocation: location)
        #expect(after.map(\.createdAt) == before.map(\.createdAt), sourceLocation: location)
        #expect(after.map(\.revision) == [2, 3, 1], sourceLocation: location)
        try daemon.expectAgreement(location)
        #expect(try daemon.store.pendingCheckpoint() == nil, sourceLocation: location)
    }

    @Test func whatIsNotConfirmedGoesBackAtTheDeadline() async throws {
        let daemon = try await Daemon()
        let (before, checkpoint) = try await changed(daemon)
        #expect(checkpoint.tunnels == 3)
        #expect(checkpoint.deadline.milliseconds - checkpoint.createdAt.milliseconds == 60_000)
        await daemon.advance(by: .milliseconds(59_999))
        #expect(try names(daemon) == ["tun_2", "tun_3", "tun_4"])
        try daemon.expectAgreement()
        #expect(try daemon.store.pendingCheckpoint() == checkpoint)
        await daemon.advance(by: .milliseconds(1))
        try expectBack(before, daemon)
        let ended = try #require(daemon.reconciler.checkpoints[checkpoint.id])
        #expect(ended.end == Checkpoint.End(.reverted, at: checkpoint.deadline, actor: nil))
        #expect(try daemon.store.checkpoints(limit: 9) == [ended])
        // Its link is another one, so its counters began again.
        #expect(try daemon.status("tun_1").epoch == 2)
        #expect(try daemon.store.epochs() == [before[0].id: 2])
        #expect(try daemon.status("tun_2").epoch == 1)
    }

    @Test func theHistorySaysWhoAndWhat() async throws {
        let daemon = try await Daemon()
        let (_, checkpoint) = try await changed(daemon)
        await daemon.advance(by: .seconds(60))
        let events = try daemon.store.events(after: 3, limit: 100).map(\.event)
        #expect(
            events.map(\.kind) == [
                .updated, .created, .deleted, .checkpointCreated, .created, .updated, .deleted, .checkpointReverted,
            ])
        #expect(events.map(\.actor) == ["test", "test", "test", "test", nil, nil, nil, nil])
        #expect(events[4].labels == ["n": "1"])
        let subject = Event.Subject.checkpoint(id: checkpoint.id.text)
        #expect(events[3].subject == subject && events[7].subject == subject)
        #expect(events[7].detail == #"{"by":"deadline"}"#)
    }

    @Test func whatIsConfirmedStays() async throws {
        let daemon = try await Daemon()
        let (_, checkpoint) = try await changed(daemon)
        let confirmed = try await daemon.end(checkpoint.id, .confirmed).get()
        #expect(confirmed.end?.outcome == .confirmed && confirmed.end?.actor == "other")
        await daemon.advance(by: .seconds(120))
        #expect(try names(daemon) == ["tun_2", "tun_3", "tun_4"])
        try daemon.expectAgreement()
        #expect(try daemon.store.checkpoints(limit: 9) == [confirmed])
        #expect(try daemon.store.formerTunnels(of: checkpoint.id).isEmpty)
        #expect(try daemon.events().last == .checkpointConfirmed)
        // Writing goes on.
        #expect(await daemon.write(.create(try definition(5))).word == "created")
        // Again is no matter; the other way is too late.
        #expect(try await daemon.end(checkpoint.id, .confirmed).get() == confirmed)
        #expect(await daemon.end(checkpoint.id, .reverted).word == "ended confirmed")
    }

    @Test func aClientRevertsAtOnce() async throws {
        let daemon = try await Daemon()
        let (before, checkpoint) = try await changed(daemon)
        let reverted = try await daemon.end(checkpoint.id, .reverted).get()
        #expect(reverted.end?.actor == "other")
        #expect(reverted.end?.failures == [])
        try expectBack(before, daemon)
        #expect(try daemon.store.events(after: 7, limit: 9).map(\.event.actor) == Array(repeating: "other", count: 4))
        await daemon.advance(by: .seconds(120))
        try expectBack(before, daemon)
        #expect(await daemon.end(checkpoint.id, .confirmed).word == "ended reverted")
    }

    @Test func aConfirmationThatComesTooLateIsNone() async throws {
        let daemon = try await Daemon()
        let (before, checkpoint) = try await changed(daemon)
        // The timer is due, and hasn't come to its turn.
        daemon.time.move(to: daemon.time.uptime + .seconds(60))
        #expect(await daemon.end(checkpoint.id, .confirmed).word == "ended reverted")
        try expectBack(before, daemon)
    }

    @Test func nothingElseIsWrittenMeanwhile() async throws {
        let daemon = try await Daemon()
        let (_, checkpoint) = try await changed(daemon)
        let stored = try daemon.store.tunnels()
        let applied = daemon.plane.applied.count
        #expect(await daemon.write(.create(try definition(5))).word == "pending")
        #expect(await daemon.write(.put(try definition(4))).word == "pending")
        #expect(await daemon.write(.modify(.name(try name("tun_4"))) { $0 }).word == "pending")
        #expect(await daemon.write(.delete(.name(try name("tun_4"))), isAsynchronous: true).word == "pending")
        #expect(await daemon.apply([try definition(4)]).words == "pending")
        guard case .failure(.checkpointPending(checkpoint)) = await daemon.write(.create(try definition(5))) else {
            Issue.record("the checkpoint isn't named")
            return
        }
        // A plan can be asked for.
        #expect(await daemon.apply([try definition(5)], isDryRun: true).words == "create")
        #expect(try daemon.store.tunnels() == stored)
        #expect(daemon.plane.applied.count == applied)
    }

    @Test func repairsGoOnMeanwhile() async throws {
        let daemon = try await Daemon()
        let (before, _) = try await changed(daemon)
        let link = try #require(daemon.link("tun_4"))
        try daemon.plane.edit { try $0.host.perform(.delete, on: link.ifindex) }
        await daemon.kernelChanged()
        try daemon.expectAgreement()
        await daemon.advance(by: .seconds(60))
        try expectBack(before, daemon)
    }

    @Test func whatChangesNothingOrIsRefusedLeavesNone() async throws {
        let daemon = try await Daemon()
        for number in 1...2 { await daemon.write(.create(try definition(number))) }
        let confirmation = Confirmation(within: 60)
        let same = TunnelSet([TunnelSet.Item(try definition(1))])
        #expect(try await daemon.apply(Apply(same, author: "test", confirmation: confirmation)).get().checkpoint == nil)
        let plan = TunnelSet([TunnelSet.Item(try definition(3))])
        let dry = Apply(plan, author: "test", isDryRun: true, confirmation: confirmation)
        #expect(try await daemon.apply(dry).get().checkpoint == nil)
        daemon.plane.refuse { $0.name == "tun_3" }
        let refused = await daemon.apply(Apply(plan, author: "test", confirmation: confirmation))
        #expect(refused.words == "items: 0 tun_3")
        #expect(try daemon.store.checkpoints(limit: 9).isEmpty)
        #expect(daemon.reconciler.checkpoints.latest(9).isEmpty)
        daemon.plane.refuseNothing()
        #expect(await daemon.write(.create(try definition(4))).word == "created")
    }

    // MARK: - Across a restart

    @Test func afterARestartTheTimeGoesOn() async throws {
        let first = try await Daemon()
        let (before, checkpoint) = try await changed(first)
        let time = ManualTime()
        time.move(to: time.uptime + .seconds(40))
        let second = try await Daemon(store: first.store, host: first.plane.host, time: time)
        #expect(try names(second) == ["tun_2", "tun_3", "tun_4"])
        #expect(second.reconciler.checkpoints.latest(9) == [checkpoint])
        #expect(await second.write(.create(try definition(5))).word == "pending")
        await second.advance(by: .milliseconds(19_999))
        #expect(try names(second) == ["tun_2", "tun_3", "tun_4"])
        await second.advance(by: .milliseconds(1))
        try expectBack(before, second)
    }

    @Test func afterARestartItCanBeConfirmed() async throws {
        let first = try await Daemon()
        let (_, checkpoint) = try await changed(first)
        let second = try await Daemon(store: first.store, host: first.plane.host)
        #expect(try await second.end(checkpoint.id, .confirmed).get().end?.outcome == .confirmed)
        await second.advance(by: .seconds(120))
        #expect(try names(second) == ["tun_2", "tun_3", "tun_4"])
        let third = try await Daemon(store: first.store, host: second.plane.host)
        #expect(third.plane.applied.isEmpty)
        #expect(third.reconciler.checkpoints.latest(9).map(\.end?.outcome) == [.confirmed])
    }

    @Test(arguments: [true, false])
    func whatIsOverdueAtTheStartNeverComesToTheKernel(hasRebooted: Bool) async throws {
        let first = try await Daemon()
        let (before, checkpoint) = try await changed(first)
        let time = ManualTime()
        time.move(to: time.uptime + .seconds(3600))
        let second = try await Daemon(
            store: first.store, host: hasRebooted ? ModelHost() : first.plane.host, time: time)
        try expectBack(before, second)
        let made = second.plane.applied.joined().filter { $0.operations != [.delete] }.map(\.name)
        #expect(made.sorted() == (hasRebooted ? ["tun_1", "tun_2", "tun_3"] : ["tun_1", "tun_2"]))
        let end = try #require(second.reconciler.checkpoints[checkpoint.id]?.end)
        #expect(end.outcome == .reverted && end.actor == nil && end.failures == [])
        #expect(second.reconciler.directory.views.allSatisfy { $0.status.drift.isEmpty })
        #expect(try second.events().last == .checkpointReverted)
        #expect(try second.status("tun_1").epoch == 2)
        #expect(await second.write(.create(try definition(5))).word == "created")
    }

    // MARK: - Clocks

    @Test func aClockThatIsSetForwardCounts() async throws {
        let daemon = try await Daemon()
        let (before, _) = try await changed(daemon)
        daemon.time.setClock(forward: .seconds(100))
        await daemon.advance(by: .seconds(1))
        try expectBack(before, daemon)
    }

    @Test func aClockThatIsSetBackGivesNoMoreTime() async throws {
        let daemon = try await Daemon()
        let (before, _) = try await changed(daemon)
        daemon.time.setClock(forward: .seconds(-1000))
        await daemon.advance(by: .seconds(59))
        #expect(try names(daemon) == ["tun_2", "tun_3", "tun_4"])
        await daemon.advance(by: .seconds(1))
        try expectBack(before, daemon)
    }

    @Test func aClockThatWasSetBackMeanwhileGivesTheWholeTimeAgain() async throws {
        let first = try await Daemon()
        let (before, _) = try await changed(first)
        let time = ManualTime()
        time.setClock(forward: .seconds(-100_000))
        let second = try await Daemon(store: first.store, host: first.plane.host, time: time)
        await second.advance(by: .seconds(59))
        #expect(try names(second) == ["tun_2", "tun_3", "tun_4"])
        await second.advance(by: .seconds(1))
        try expectBack(before, second)
    }

    // MARK: - Refusals

    @Test func theDefinitionsGoBackThoughTheKernelRefuses() async throws {
        let daemon = try await Daemon()
        let (before, checkpoint) = try await changed(daemon)
        daemon.plane.edit { _ = $0.host.addForeign(name: "tun_1", kind: "dummy") }
        let reverted = try await daemon.end(checkpoint.id, .reverted).get()
        let failures = try #require(reverted.end).failures
        #expect(failures.map(\.tunnel.text) == ["tun_1"])
        #expect(failures.first?.problem.code == .nameTaken)
        #expect(try stored(daemon).map(\.definition) == before.map(\.definition))
        #expect(try daemon.store.checkpoints(limit: 9) == [reverted])
        #expect(try daemon.status("tun_1").state == .failed)
        #expect(try daemon.status("tun_2").state == .up)
        #expect(daemon.link("tun_4") == nil)
        #expect(try daemon.status("tun_2").drift == [])
        // And tried again, as with any tunnel that failed.
        let foreign = try #require(daemon.link("tun_1"))
        try daemon.plane.edit { try $0.host.perform(.delete, on: foreign.ifindex) }
        await daemon.advance(by: .seconds(60))
        try expectBack(before, daemon)
        #expect(try daemon.status("tun_1").epoch == 2)
    }

    @Test func aRevertThatCannotBeStoredIsTriedAgain() async throws {
        let daemon = try await Daemon()
        let (before, checkpoint) = try await changed(daemon)
        let host = daemon.plane.host.links
        try daemon.execute(
            """
            CREATE TRIGGER refusing BEFORE UPDATE OF outcome ON checkpoint
            BEGIN SELECT raise(ABORT, 'no'); END
            """)
        #expect(await daemon.end(checkpoint.id, .reverted).word == "storage: constraint")
        let applied = daemon.plane.applied.count
        await daemon.advance(by: .seconds(65))
        #expect(try names(daemon) == ["tun_2", "tun_3", "tun_4"])
        #expect(Set(daemon.plane.host.links.map(\.name)) == Set(host.map(\.name)))
        // The links don't go to and fro meanwhile.
        #expect(daemon.plane.applied.count == applied)
        #expect(await daemon.write(.create(try definition(5))).word == "pending")
        try daemon.execute("DROP TRIGGER refusing")
        await daemon.advance(by: .seconds(1))
        try expectBack(before, daemon)
    }

    @Test func whatMovedGoesBackToItsPlace() async throws {
        let daemon = try await Daemon()
        let first = try definition(1)
        let second = try definition(2)
        await daemon.apply([first, second])
        let before = try daemon.store.tunnels()
        // Both take the other's endpoints, addresses and routes.
        let swapped = [
            try definition(1) { $0.name = second.name }, try definition(2) { $0.name = first.name },
        ]
        let apply = Apply(
            TunnelSet(swapped.map { TunnelSet.Item($0) }), author: "test", confirmation: Confirmation(within: 9))
        #expect(try await daemon.apply(apply).get().checkpoint?.tunnels == 2)
        try daemon.expectAgreement()
        await daemon.advance(by: .seconds(9))
        #expect(try daemon.store.tunnels().map(\.definition) == before.map(\.definition))
        #expect(try daemon.store.tunnels().map(\.revision) == [3, 3])
        try daemon.expectAgreement()
    }

    @Test func stoppedMeansStopped() async throws {
        let daemon = try await Daemon()
        let (_, checkpoint) = try await changed(daemon)
        await daemon.reconciler.stop()
        #expect(await daemon.end(checkpoint.id, .confirmed).word == "stopping")
        await daemon.advance(by: .seconds(120))
        #expect(try daemon.store.pendingCheckpoint() == checkpoint)
    }

    @Test func ofThoseThatHaveEndedTheLatestAreKept() async throws {
        let daemon = try await Daemon()
        for number in 0..<(Checkpoints.endedKept + 5) {
            let set = TunnelSet([TunnelSet.Item(try definition(1) { $0.mtu = 1000 + number })])
            let apply = Apply(set, author: "test", confirmation: Confirmation(within: 60))
            let checkpoint = try #require(try await daemon.apply(apply).get().checkpoint)
            _ = try await daemon.end(checkpoint.id, .confirmed).get()
            daemon.time.move(to: daemon.time.uptime + .milliseconds(1))
        }
        await daemon.advance(by: .seconds(31))
        let stored = try daemon.store.checkpoints(limit: 1000)
        #expect(stored.count == Checkpoints.endedKept)
        #expect(Array(daemon.reconciler.checkpoints.latest(1000).prefix(stored.count)) == stored)
    }
}

extension Daemon {
    fileprivate func execute(_ sql: String) throws {
        try store.queue.write { try $0.execute(sql: sql) }
    }

    fileprivate func end(
        _ id: CheckpointID, _ outcome: Checkpoint.Outcome
    ) async -> Result<Checkpoint, CheckpointRefusal> {
        await withCheckedContinuation { continuation in
            reconciler.end(id, outcome, author: "other") { continuation.resume(returning: $0) }
        }
    }
}

extension Result<Checkpoint, CheckpointRefusal> {
    fileprivate var word: String {
        switch self {
        case .success(let checkpoint): checkpoint.end?.outcome.rawValue ?? "pending"
        case .failure(.notFound): "not found"
        case .failure(.ended(let checkpoint)): "ended \(checkpoint.end?.outcome.rawValue ?? "")"
        case .failure(.refused(let refusal)): refusal.word
        }
    }
}
