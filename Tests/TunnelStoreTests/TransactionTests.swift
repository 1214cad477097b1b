import Foundation
import GRDB
import Testing
import Tunnels

@testable import TunnelStore

@Suite struct TransactionTests {
    let directory: TemporaryDirectory
    let store: TunnelStore

    init() throws {
        directory = try TemporaryDirectory()
        store = try TunnelStore(path: directory.database)
    }

    private func event(_ tunnel: Tunnel, _ kind: Event.Kind = .created) -> Event {
        Event(at: now, kind: kind, tunnel: tunnel, actor: "uid:0")
    }

    struct Stop: Error, Equatable {}

    @Test func aBodyThatThrowsLeavesNothing() throws {
        let tunnel = try fullTunnel(1)
        #expect(throws: WriteError.body(Stop())) {
            try store.write { (transaction) throws(Stop) in
                do {
                    try transaction.insert(tunnel)
                    try transaction.record(event(tunnel))
                } catch { Issue.record(error) }
                throw Stop()
            }
        }
        #expect(try store.tunnels().isEmpty)
        #expect(try store.events(after: 0, limit: 10).isEmpty)
        try store.insert(tunnel)
        #expect(try store.tunnels() == [tunnel], "the store goes on")
    }

    @Test func refusedChangesAreTakenOutAndTheOthersStay() throws {
        let (first, second, third) = (try tunnel(1), try fullTunnel(2), try tunnel(3))
        let clash = try tunnel(4) {
            $0.addresses = try [address("10.44.0.1/24"), address("192.168.1.1/24")]
            $0.labels = ["left": "behind"]
        }
        let refusals = try store.write { (transaction) throws(Refusal) in
            try transaction.insert(first)
            try transaction.insert(second)
            var refusals = [transaction.attempt { (t) throws(Refusal) in try t.insert(clash) }]
            var moved = first
            (moved.revision, moved.definition.labels, moved.definition.name) = (2, ["a": "b"], second.name)
            refusals.append(transaction.attempt { (t) throws(Refusal) in try t.update(moved) })
            try transaction.insert(third)
            return refusals
        }
        let holder = Refusal.Holder(id: second.id, name: second.name)
        #expect(
            refusals == [.addressTaken(try address("192.168.1.1/24"), by: holder), .nameTaken(by: holder)])
        #expect(try store.tunnels() == [first, second, third])
        #expect(try store.count("tunnel_address") == second.definition.addresses.count)
    }

    @Test func aTunnelCanTakeWhatAnEarlierChangeGaveUp() throws {
        let old = try fullTunnel(1)
        try store.insert(old)
        let new = Tunnel(
            id: try id(2), definition: old.definition, revision: 1, createdAt: now, updatedAt: now)
        try store.write { (transaction) throws(Refusal) in
            try transaction.delete(old.id)
            try transaction.insert(new)
        }
        #expect(try store.tunnels() == [new])
    }

    @Test func othersSeeNothingBeforeTheCommit() throws {
        let visitor = try TunnelStore(path: directory.database, as: .visitor)
        let tunnel = try tunnel(1)
        try store.write { (transaction) throws in
            try transaction.insert(tunnel)
            #expect(try visitor.tunnels().isEmpty)
        }
        #expect(try visitor.tunnels() == [tunnel])
    }

    /// What a process leaves that is killed is what its files hold at that moment.
    @Test func aKillInTheMiddleLeavesTheStateBefore() throws {
        let kept = try tunnel(1)
        try store.insert(kept)
        let killed = try TemporaryDirectory()
        let many = try (100..<3000).map { try tunnel($0) }
        try store.execute("PRAGMA cache_size = 10; PRAGMA cache_spill = ON")
        try store.write { (transaction) throws in
            for tunnel in many { try transaction.insert(tunnel) }
            try copyFiles(to: killed)
        }
        let log = try FileManager.default.attributesOfItem(atPath: killed.database + "-wal")
        #expect(try #require(log[.size] as? Int) > 1 << 18, "uncommitted pages were in the log already")
        #expect(try TunnelStore(path: killed.database).tunnels() == [kept])
    }

    @Test func aKillAfterTheCommitLosesNothing() throws {
        let tunnels = [try tunnel(1), try fullTunnel(2)]
        try store.insert(tunnels[0], tunnels[1])
        let killed = try TemporaryDirectory()
        try copyFiles(to: killed)
        #expect(try TunnelStore(path: killed.database).tunnels() == tunnels)
    }

    private func copyFiles(to copy: TemporaryDirectory) throws {
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(
                atPath: directory.database + suffix, toPath: copy.database + suffix)
        }
    }

    @Test func transactionsAndFilesAreMeasured() throws {
        #expect(store.statistics.commits.count == 0)
        try store.insert(try tunnel(1))
        #expect(throws: WriteError.body(Stop())) { try store.write { (_) throws(Stop) in throw Stop() } }
        let statistics = store.statistics
        #expect((statistics.commits.count, statistics.rollbacks, statistics.withoutSpace) == (1, 1, 0))
        #expect(statistics.commits.sum > 0)
        #expect(statistics.databaseBytes.map { $0 > 0 && $0 % 4096 == 0 } == true)
        #expect(statistics.logBytes.map { $0 > 4096 } == true)
        let inMemory = try TunnelStore.inMemory().statistics
        #expect(inMemory.databaseBytes == nil && inMemory.logBytes == nil)
    }

    @Test func aFullDiskIsReportedAndRollsBack() throws {
        try store.insert(try tunnel(1))
        let pages = try store.queue.read { try Int.fetchOne($0, sql: "PRAGMA page_count") ?? 0 }
        try store.execute("PRAGMA max_page_count = \(pages + 2)")
        let many = try (100..<2000).map { try tunnel($0) }
        var refusal: Refusal?
        let error = #expect(throws: WriteError<Never>.self) {
            try store.write { (transaction) throws(Never) in
                for tunnel in many where refusal == nil {
                    refusal = transaction.attempt { (t) throws(Refusal) in try t.insert(tunnel) }
                }
                let again = transaction.attempt { (t) throws(Refusal) in try t.delete(many[0].id) }
                #expect(again == refusal, "nothing more is taken after the database has failed")
            }
        }
        guard case .store(let failure) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(refusal == .storage(failure))
        #expect(failure.code == .full)
        #expect(failure.message.contains("full"))
        #expect(failure.path == store.path)
        #expect((store.statistics.rollbacks, store.statistics.withoutSpace) == (1, 1))
        #expect(try store.tunnels() == [try tunnel(1)])
        try store.execute("PRAGMA max_page_count = 1000000")
        try store.insert(try tunnel(2))
        #expect(try store.tunnels().count == 2, "the store goes on when there is space again")
    }

    @Test func aWriterWaitsForAnotherProcessAndThenSaysSo() throws {
        let visitor = try TunnelStore(path: directory.database, as: .visitor)
        try visitor.execute("PRAGMA busy_timeout = 1")
        try store.write { (_) throws in
            let error = #expect(throws: StoreError.self) { try visitor.pruneEvents(keeping: 1) }
            #expect(error?.code == .busy)
        }
    }

    @Test func commitsAreDurableAndTheLogBounded() throws {
        let pragmas = ["journal_mode", "synchronous", "foreign_keys", "journal_size_limit"]
        let values = try store.queue.read { database in
            try pragmas.map { try String.fetchOne(database, sql: "PRAGMA \($0)") }
        }
        #expect(values == ["wal", "2", "1", "4194304"])
        for round in 0..<8 {
            try store.write { (transaction) throws in
                for number in 0..<1000 { try transaction.insert(try tunnel(1 + round * 1000 + number)) }
            }
        }
        let log = try FileManager.default.attributesOfItem(atPath: directory.database + "-wal")
        #expect(try #require(log[.size] as? Int) < 8 << 20)
    }
}
