import Dispatch
import ModelHost
import Synchronization
import Testing
import Tunnels

@testable import Reconciler
@testable import TunnelStore

/// Writes that wait together.
@Suite struct BatchTests {
    @Test func theyShareOneTransactionAndOneSend() async throws {
        let daemon = try await Daemon()
        let commits = try Commits(daemon.store)
        let answers = await daemon.together(try (1...100).map { .create(try definition($0)) })
        #expect(answers.allSatisfy { $0.word == "created" })
        #expect(commits.counts == .init(commits: 1, rollbacks: 0))
        #expect(daemon.plane.applied.map(\.count) == [100])
        let deletes = try (1...100).map { Write.Change.delete(.name(try name("tun_\($0)"))) }
        #expect(await daemon.together(deletes).allSatisfy { $0.word == "deleted" })
        #expect(commits.counts == .init(commits: 2, rollbacks: 0))
        #expect(daemon.plane.applied.map(\.count) == [100, 100])
        try daemon.expectAgreement()
    }

    @Test func noMoreThanTheLimitShareOne() async throws {
        var limits = Reconciler.Limits()
        limits.writesInBatch = 10
        let daemon = try await Daemon(limits: limits)
        let answers = await daemon.together(try (1...25).map { .create(try definition($0)) })
        #expect(answers.allSatisfy { $0.word == "created" })
        #expect(daemon.plane.applied.map(\.count) == [10, 10, 5])
        try daemon.expectAgreement()
    }

    @Test func writesOnOneTunnelKeepTheirOrder() async throws {
        let daemon = try await Daemon()
        let key = TunnelKey.name(try name("tun_1"))
        let append: (String) -> Write.Change = { text in
            .modify(key) { present in
                var changed = present
                changed.comment += text
                return changed
            }
        }
        let answers = await daemon.together([
            .create(try definition(1)), append("a"), append("b"),
            .put(try definition(1) { $0.comment = "x" }), append("c"), .delete(key), append("d"),
            .put(try definition(1)), append("e"), .create(try definition(1)),
        ])
        #expect(
            answers.map(\.word) == [
                "created", "changed", "changed", "changed", "changed", "deleted", "not found", "created",
                "changed", "name-taken by tun_1 /name",
            ])
        #expect(
            answers.compactMap { $0.view?.tunnel.definition.comment } == ["", "a", "ab", "x", "xc", "", "e"])
        #expect(answers.compactMap { $0.view?.tunnel.revision } == [1, 2, 3, 4, 5, 1, 2])
        try daemon.expectAgreement()
    }

    @Test func aDeleteByIDAndACreateOfTheNameKeepTheirOrder() async throws {
        let daemon = try await Daemon()
        let id = try #require(await daemon.write(.create(try definition(1))).view).tunnel.id
        let answers = await daemon.together([.delete(.id(id)), .create(try definition(1)), .delete(.id(id))])
        #expect(answers.map(\.word) == ["deleted", "created", "not found"])
        try daemon.expectAgreement()
    }

    @Test func whatADeleteFreesCanBeTakenInTheSameBatch() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        let heir = try definition(2) { wanted in
            let one = try definition(1)
            (wanted.remote, wanted.addresses, wanted.routes) = (one.remote, one.addresses, one.routes)
        }
        let answers = await daemon.together([.delete(.name(try name("tun_1"))), .create(heir)])
        #expect(answers.map(\.word) == ["deleted", "created"])
        #expect(daemon.plane.applied.map(\.count) == [1, 2])
        try daemon.expectAgreement()
    }

    @Test func aRenameAndACreateOfTheFormerNameKeepTheirOrder() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        let renamed = try name("renamed")
        let rename = Write.Change.modify(.name(try name("tun_1"))) { present in
            var changed = present
            changed.name = renamed
            return changed
        }
        let heir = try definition(2) { $0.name = try name("tun_1") }
        let answers = await daemon.together([rename, .create(heir), .delete(.name(renamed))])
        #expect(answers.map(\.word) == ["changed", "created", "deleted"])
        try daemon.expectAgreement()
    }

    @Test func asynchronousWritesShareOneTransactionAndAreMadeInOneSend() async throws {
        let daemon = try await Daemon()
        let commits = try Commits(daemon.store)
        let answers = await daemon.together(
            try (1...50).map { .create(try definition($0)) }, isAsynchronous: true)
        #expect(answers.allSatisfy { $0.view?.status.state == .pending })
        #expect(daemon.plane.applied.isEmpty)
        #expect(commits.counts.commits == 1)
        await daemon.advance()
        #expect(daemon.plane.applied.map(\.count) == [50])
        try daemon.expectAgreement()
    }

    @Test func moreThanCanWaitAreTurnedAway() async throws {
        let daemon = try await Daemon()
        let answers = await daemon.together(
            Array(repeating: .delete(.name(try name("none"))), count: 4100))
        #expect(answers.filter { $0.word == "overloaded" }.count == 4)
        #expect(answers.filter { $0.word == "not found" }.count == 4096)
        #expect(await daemon.write(.create(try definition(1))).word == "created")
    }

    @Test func whoWaitsWhenTheDaemonStopsIsAnswered() async throws {
        let daemon = try await Daemon()
        let reconciler = daemon.reconciler
        // Stops as the writer's work, in front of the writes that wait there.
        reconciler.writer.async { reconciler.assumeIsolated { $0.stop() } }
        let answers = await daemon.together(try (1...10).map { .create(try definition($0)) })
        #expect(answers.allSatisfy { $0.word == "stopping" })
        try daemon.expectAgreement()
    }

    @Test func whoMayBlockIsAnsweredBeforeTheCallReturns() async throws {
        let daemon = try await Daemon()
        while !daemon.reconciler.writer.runHere({}) { await daemon.drain() }
        for number in 1...50 {
            let answer = Mutex<Daemon.Answer?>(nil)
            let write = Write(.create(try definition(number)), author: "test")
            daemon.reconciler.submit(write, mayBlock: true) { result in answer.withLock { $0 = result } }
            #expect(answer.withLock { $0?.word } == "created")
        }
        #expect(daemon.plane.applied.map(\.count) == Array(repeating: 1, count: 50))
        try daemon.expectAgreement()
    }

    /// 32 clients, 1,000 writes in all on 50 names.
    @Test(arguments: 0..<4) func afterManyWritersAllAgreeAndEverySuccessIsThere(_ seed: UInt64) async throws {
        let daemon = try await Daemon()
        // For each name the newest revision that was answered, and whether it is there.
        let successes = await withTaskGroup(of: [String: Int].self) { group in
            for client in 0..<32 {
                group.addTask { await Self.client(UInt64(client) + seed * 100, of: daemon) }
            }
            return await group.reduce(into: [:]) { $0.merge($1, uniquingKeysWith: +) }
        }
        await daemon.advance(by: .seconds(60))
        try daemon.expectAgreement()

        let events = try daemon.events()
        #expect(events.filter { $0 == .created }.count == successes["created"])
        #expect(events.filter { $0 == .updated }.count == successes["changed"])
        #expect(events.filter { $0 == .deleted }.count == successes["deleted"])
        #expect(successes.values.reduce(0, +) == 992)
        let left = (successes["created"] ?? 0) - (successes["deleted"] ?? 0)
        #expect(try daemon.store.tunnels().count == left)
    }

    /// 31 random writes; counts what they were answered.
    private static func client(_ seed: UInt64, of daemon: Daemon) async -> [String: Int] {
        var words: [String: Int] = [:]
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<31 {
            do {
                let wanted = try definition(generator.below(50)) { wanted in
                    wanted.mtu = generator.one(of: [nil, 1300, 1400])
                    wanted.enabled = !generator.once(in: 5)
                    // Sometimes another tunnel's endpoints or address.
                    if generator.once(in: 10) { wanted.remote = try definition(generator.below(50)).remote }
                    if generator.once(in: 10) {
                        wanted.addresses += try definition(generator.below(50)).addresses
                    }
                }
                let change: Write.Change =
                    switch generator.below(6) {
                    case 0: .create(wanted)
                    case 1, 2: .put(wanted)
                    case 3: .modify(.name(wanted.name)) { _ in wanted }
                    default: .delete(.name(wanted.name))
                    }
                let answer = await daemon.write(
                    change, isAsynchronous: generator.once(in: 4), mayBlock: generator.once(in: 2))
                words[answer.word.prefix { $0 != ":" && $0 != " " }.description, default: 0] += 1
                // A write that was answered is in what is read next, unless a later one took its place.
                if case .success(.created(let view)) = answer,
                    let shown = daemon.reconciler.directory.view(.id(view.tunnel.id)),
                    shown.tunnel.revision < view.tunnel.revision
                {
                    Issue.record("an older view after the answer")
                }
            } catch {
                Issue.record(error)
            }
        }
        return words
    }
}
