import GRDB
import ModelHost
import Synchronization
import Testing
import Tunnels

@testable import Reconciler
@testable import TunnelStore

/// What is refused leaves nothing, in the database or on the host.
@Suite struct RefusalTests {
    // MARK: - By the host

    @Test func aCreateThatTheHostRefusesLeavesNeitherRowNorLink() async throws {
        let daemon = try await Daemon()
        let links = daemon.plane.host.links
        daemon.plane.refuse { _ in true }
        let answer = await daemon.write(.create(try definition(1)))
        guard case .failure(.host(let problem)) = answer else {
            Issue.record("\(answer.word)")
            return
        }
        #expect(problem == .refused)
        #expect(daemon.plane.host.links == links)
        #expect(try daemon.store.tunnels() == [])
        #expect(try daemon.events() == [])
        daemon.plane.refuseNothing()
        #expect(await daemon.write(.create(try definition(1))).word == "created")
        try daemon.expectAgreement()
    }

    @Test func aCreateThatStopsHalfWayLeavesNoLink() async throws {
        let daemon = try await Daemon()
        // A route of somebody else's stands in the way of the tunnel's second one.
        let taken = try route("10.9.0.0/16")
        try daemon.plane.edit { try $0.host.addRoute(taken, by: 2, isOurs: false) }
        let links = daemon.plane.host.links
        let answer = await daemon.write(.create(try definition(1) { $0.routes.append(taken) }))
        #expect(answer.word == "host: kernel-refused")
        #expect(daemon.plane.host.links == links)
        try daemon.expectAgreement()
    }

    @Test func aChangeThatStopsHalfWayIsTakenBack() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        let links = daemon.plane.host.links
        let taken = try route("10.9.0.0/16")
        try daemon.plane.edit { try $0.host.addRoute(taken, by: 2, isOurs: false) }
        let renamed = try name("renamed")
        let answer = await daemon.write(
            .modify(.name(try name("tun_1"))) { present in
                var changed = present
                changed.name = renamed
                changed.mtu = 1300
                changed.addresses = []
                changed.routes = [taken]
                return changed
            })
        #expect(answer.word == "host: kernel-refused")
        #expect(daemon.plane.host.links == links)
        #expect(try daemon.view("tun_1")?.tunnel.revision == 1)
        try daemon.expectAgreement()
    }

    @Test func aDeleteThatTheHostRefusesLeavesTheTunnel() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        daemon.plane.refuse { $0.operations == [.delete] }
        #expect(await daemon.write(.delete(.name(try name("tun_1")))).word == "host: kernel-refused")
        daemon.plane.refuseNothing()
        try daemon.expectAgreement()
    }

    @Test func whenTheHostCannotBeReadNothingIsWritten() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        daemon.plane.edit { $0.unreadable = TunnelProblem(.permissionMissing, "no") }
        #expect(
            await daemon.write(.put(try definition(1) { $0.mtu = 1300 })).word == "host: permission-missing")
        daemon.plane.edit { $0.unreadable = nil }
        try daemon.expectAgreement()
    }

    @Test func oneRefusedOfFiftyLeavesTheOthersInOneTransactionMore() async throws {
        let daemon = try await Daemon()
        let commits = try Commits(daemon.store)
        daemon.plane.refuse { $0.name == "tun_25" }
        let answers = await daemon.together(try (1...50).map { .create(try definition($0)) })
        for (position, answer) in answers.enumerated() {
            #expect(answer.word == (position == 24 ? "host: kernel-refused" : "created"))
        }
        guard case .failure(.host(.refused)) = answers[24] else {
            Issue.record("not the kernel's words")
            return
        }
        #expect(try daemon.store.tunnels().count == 49)
        #expect(commits.counts == .init(commits: 1, rollbacks: 1))
        // What the kernel took isn't sent again.
        #expect(daemon.plane.applied.map(\.count) == [50])
        #expect(daemon.reconciler.counters.batches.load(ordering: .relaxed) == 1)
        #expect(daemon.reconciler.counters.writes.load(ordering: .relaxed) == 49)
        #expect(daemon.reconciler.counters.refusals.load(ordering: .relaxed) == 1)
        #expect(try daemon.events().count == 49)
        try daemon.expectAgreement()
    }

    @Test func whoeverWasRefusedForARefusedTunnelIsAskedAgain() async throws {
        let daemon = try await Daemon()
        daemon.plane.refuse { $0.name == "tun_1" }
        let first = try definition(1)
        let second = try definition(2) { $0.remote = first.remote }
        let answers = await daemon.together([.create(first), .create(second)])
        #expect(answers.map(\.word) == ["host: kernel-refused", "created"])
        try daemon.expectAgreement()
    }

    // MARK: - By the database

    @Test func whatAnotherTunnelHasIsTaken() async throws {
        let daemon = try await Daemon()
        let one = try definition(1)
        await daemon.write(.create(one))
        await daemon.write(.create(try definition(2)))
        let links = daemon.plane.host.links
        let applies = daemon.plane.applied.count
        let key = TunnelKey.name(try name("tun_2"))
        var answers = [
            await daemon.write(.create(one)),
            await daemon.write(.create(try definition(3) { $0.remote = one.remote })),
            await daemon.write(
                .create(try definition(3) { $0.addresses = try [address("10.3.3.3/32")] + one.addresses })),
        ]
        answers.append(
            await daemon.write(
                .modify(key) { present in
                    var changed = present
                    changed.name = one.name
                    return changed
                }))
        answers.append(await daemon.write(.put(try definition(2) { $0.remote = one.remote })))
        #expect(
            answers.map(\.word) == [
                "name-taken by tun_1 /name", "endpoints-taken by tun_1 /remote",
                "address-taken by tun_1 /addresses/1", "name-taken by tun_1 /name",
                "endpoints-taken by tun_1 /remote",
            ])
        #expect(daemon.plane.host.links == links)
        #expect(daemon.plane.applied.count == applies)
        try daemon.expectAgreement()
    }

    @Test func whatTheSchemaRefusesIsInvalid() async throws {
        let daemon = try await Daemon()
        #expect(await daemon.write(.create(try definition(1) { $0.mtu = 1 })).word == "invalid")
        try daemon.expectAgreement()
    }

    @Test func aFullDiskStoresNothingAndChangesNothing() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        try daemon.store.limitPages(toPresentPlus: 2)
        var words: [String] = []
        for number in 2..<40 {
            let long = try definition(number) {
                $0.comment = String(repeating: "x", count: 1000)
            }
            words.append(await daemon.write(.create(long)).word)
            if words.last != "created" { break }
        }
        #expect(words.last == "storage: full")
        await daemon.advance()
        try daemon.expectAgreement()
        let answers = await daemon.together(
            try (50..<60).map { number in
                .create(try definition(number) { $0.comment = String(repeating: "x", count: 1000) })
            })
        #expect(Set(answers.map(\.word)) == ["storage: full"])
        await daemon.advance()
        try daemon.expectAgreement()
        try daemon.store.limitPages(toPresentPlus: 1000)
        #expect(await daemon.write(.create(try definition(50))).word == "created")
        try daemon.expectAgreement()
    }

    // MARK: - By the commit, after the host accepted

    @Test func aFailedCommitUndoesACreate() async throws {
        let daemon = try await Daemon()
        let links = daemon.plane.host.links
        let commits = try Commits(daemon.store)
        commits.failNext()
        #expect(await daemon.write(.create(try definition(1))).word.hasPrefix("storage"))
        #expect(daemon.plane.host.links == links)
        #expect(daemon.plane.applied.count == 2)
        #expect(try daemon.view("tun_1") == nil)
        try daemon.expectAgreement()
    }

    @Test func aFailedCommitUndoesAChange() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        let links = daemon.plane.host.links
        let commits = try Commits(daemon.store)
        commits.failNext()
        let changed = try definition(1) {
            $0.mtu = 1300
            $0.ttl = .fixed(9)
            $0.routes = []
            $0.addresses = [try address("10.1.1.1/24")]
            $0.enabled = false
        }
        #expect(await daemon.write(.put(changed)).word.hasPrefix("storage"))
        #expect(daemon.plane.host.links == links)
        #expect(try daemon.view("tun_1")?.tunnel.revision == 1)
        try daemon.expectAgreement()
        #expect(await daemon.write(.put(changed)).word == "changed")
    }

    @Test func aFailedCommitUndoesADeleteWithANewLink() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        let before = try #require(daemon.link("tun_1"))
        let commits = try Commits(daemon.store)
        commits.failNext()
        #expect(await daemon.write(.delete(.name(try name("tun_1")))).word.hasPrefix("storage"))
        var after = try #require(daemon.link("tun_1"))
        #expect(after.ifindex != before.ifindex)
        after.ifindex = before.ifindex
        #expect(after == before)
        #expect(try daemon.status("tun_1").epoch == 2)
        try daemon.expectAgreement()
    }

    @Test func aFailedCommitUndoesAWholeBatch() async throws {
        let daemon = try await Daemon()
        for number in 1...10 { await daemon.write(.create(try definition(number))) }
        let definitions = Set(try daemon.store.tunnels())
        let commits = try Commits(daemon.store)
        commits.failNext()
        var changes: [Write.Change] = []
        for number in 1...5 { changes.append(.delete(.name(try name("tun_\(number)")))) }
        for number in 6...10 { changes.append(.put(try definition(number) { $0.mtu = 1300 })) }
        // New tunnels with the endpoints of those that go.
        for number in 11...15 {
            changes.append(.create(try definition(number) { $0.remote = try definition(number - 10).remote }))
        }
        let answers = await daemon.together(changes)
        #expect(answers.allSatisfy { $0.word.hasPrefix("storage") })
        #expect(Set(try daemon.store.tunnels()) == definitions)
        await daemon.advance()
        try daemon.expectAgreement()
        #expect(await daemon.together(changes).allSatisfy { !$0.word.hasPrefix("storage") })
        try daemon.expectAgreement()
    }

    @Test func whatCannotBeUndoneAtOnceIsUndoneByALaterLook() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        let commits = try Commits(daemon.store)
        commits.failNext()
        // The kernel takes the change, and then nothing any more.
        daemon.plane.refuse { $0.operations.contains(.setMTU(1480)) }
        #expect(await daemon.write(.put(try definition(1) { $0.mtu = 1300 })).word.hasPrefix("storage"))
        #expect(daemon.link("tun_1")?.mtu == 1300)
        daemon.plane.refuseNothing()
        await daemon.advance()
        #expect(daemon.link("tun_1")?.mtu == 1480)
        try daemon.expectAgreement()
    }
}

/// Counts a store's transactions, and lets one fail at its very end.
final class Commits: TransactionObserver, Sendable {
    struct Counts: Equatable {
        var commits = 0
        var rollbacks = 0
    }

    struct Failure: Error {}

    private let state = Mutex((counts: Counts(), shallFail: false))

    init(_ store: TunnelStore) throws {
        store.queue.add(transactionObserver: self, extent: .databaseLifetime)
    }

    var counts: Counts { state.withLock { $0.counts } }

    func failNext() { state.withLock { $0.shallFail = true } }

    func observes(eventsOfKind eventKind: DatabaseEventKind) -> Bool { true }
    func databaseDidChange(with event: DatabaseEvent) {}

    func databaseWillCommit() throws {
        let shallFail = state.withLock { state in
            defer { state.shallFail = false }
            return state.shallFail
        }
        if shallFail { throw Failure() }
    }

    func databaseDidCommit(_ database: Database) { state.withLock { $0.counts.commits += 1 } }
    func databaseDidRollback(_ database: Database) { state.withLock { $0.counts.rollbacks += 1 } }
}

extension TunnelStore {
    /// As if the disk had room for so many more pages.
    func limitPages(toPresentPlus more: Int) throws {
        try queue.writeWithoutTransaction { database in
            let pages = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
            try database.execute(sql: "PRAGMA max_page_count = \(pages + more)")
        }
    }
}
