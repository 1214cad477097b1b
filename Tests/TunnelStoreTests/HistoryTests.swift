import Testing
import Tunnels

@testable import TunnelStore

@Suite struct HistoryTests {
    let store: TunnelStore

    init() throws {
        store = try .inMemory()
    }

    private func record(_ count: Int) throws -> [Int64] {
        let tunnel = try tunnel(1)
        return try store.write { (transaction) throws in
            try (1...count).map { revision in
                let subject = Event.Subject.tunnel(tunnel.id, name: tunnel.name, revision: Int64(revision))
                return try transaction.record(Event(at: now, kind: .updated, subject: subject))
            }
        }
    }

    @Test func eventsComeBackAsTheyWere() throws {
        let tunnel = Event.Subject.tunnel(try id(4), name: try name("gone"), revision: 7)
        let events = Event.Kind.allCases.map { kind in
            let subject: Event.Subject =
                switch kind {
                case .tokenCreated, .tokenRevoked: .token(id: 9)
                case .checkpointCreated, .checkpointConfirmed, .checkpointReverted: .checkpoint(id: "c")
                case .down: .host
                default: tunnel
                }
            return Event(
                at: later, kind: kind, subject: subject, actor: kind == .drifted ? nil : "token:3",
                labels: kind == .updated ? ["site": "a", "\"": "é"] : [:],
                detail: kind == .failed ? #"{"errno":17,"kernel_message":"é"}"# : nil)
        }
        let ids = try store.write { (transaction) throws in try events.map { try transaction.record($0) } }
        let stored = try store.events(after: 0, limit: 100)
        #expect(stored.map(\.event) == events)
        #expect(stored.map(\.id) == ids)
        #expect(ids == ids.sorted())
    }

    @Test func aReaderGoesOnWhereItStopped() throws {
        let ids = try record(10)
        #expect(try store.events(after: 0, limit: 4).map(\.id) == Array(ids[..<4]))
        #expect(try store.events(after: ids[3], limit: 4).map(\.id) == Array(ids[4..<8]))
        #expect(try store.events(after: ids[9], limit: 4).isEmpty)
        #expect(try store.events(after: 0, limit: -1).isEmpty)
    }

    @Test func pruningKeepsTheLatest() throws {
        let ids = try record(10)
        #expect(try store.pruneEvents(keeping: 10) == 0)
        #expect(try store.pruneEvents(keeping: 3) == 7)
        #expect(try store.pruneEvents(keeping: 3) == 0)
        #expect(try store.events(after: 0, limit: 100).map(\.id) == Array(ids[7...]))
    }

    @Test func anIDIsNeverGivenTwice() throws {
        let last = try #require(try record(3).last)
        #expect(try store.pruneEvents(keeping: 0) == 2, "the latest stays and keeps its id taken")
        #expect(try store.pruneEvents(keeping: -1) == 0)
        #expect(try record(1) == [last + 1])
    }

    @Test func aDetailThatIsNoJSONEndsTheTransaction() throws {
        let tunnel = try tunnel(1)
        let bad = Event(at: now, kind: .failed, tunnel: tunnel, detail: "{")
        let error = #expect(throws: WriteError<StoreError>.self) {
            try store.write { (transaction) throws(StoreError) in
                _ = transaction.attempt { (t) throws(Refusal) in try t.insert(tunnel) }
                try transaction.record(bad)
            }
        }
        guard case .body(let failure) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(failure.code == .constraint)
        #expect(try store.tunnels().isEmpty)
    }
}
