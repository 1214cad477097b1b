import Synchronization
import Testing
import Tunnels

@testable import TunnelStore

/// What is handed on of what was committed.
@Suite struct FeedTests {
    private final class Receiver: Sendable {
        let events = Mutex<[StoredEvent]>([])
        var ids: [Int64] { events.withLock { $0.map(\.id) } }
    }

    private let receiver = Receiver()

    private func deliver(_ store: TunnelStore) throws {
        try store.deliverEvents { [receiver] events in receiver.events.withLock { $0 += events } }
    }

    private func record(_ count: Int, in store: TunnelStore, name: String = "tun_1") throws {
        let subject = Event.Subject.tunnel(try id(1), name: try TunnelStoreTests.name(name), revision: 1)
        try store.write { (transaction) throws(StoreError) in
            for _ in 0..<count { try transaction.record(Event(at: now, kind: .updated, subject: subject)) }
        }
    }

    @Test func eachCommittedEventOnceInOrder() throws {
        let store = try TunnelStore.inMemory()
        try record(3, in: store)
        try deliver(store)
        #expect(receiver.ids == [], "those of before aren't news")
        try record(2, in: store)
        try record(1, in: store)
        store.deliverMissedEvents()
        #expect(receiver.ids == [4, 5, 6])
        #expect(try store.events(after: 3, limit: 10) == receiver.events.withLock { $0 })
    }

    @Test func nothingOfWhatWasRolledBack() throws {
        struct Enough: Error {}
        let store = try TunnelStore.inMemory()
        try deliver(store)
        let tunnel = try tunnel(1)
        #expect(throws: WriteError<Enough>.self) {
            try store.write { (transaction) throws(Enough) in
                _ = try? transaction.record(Event(at: now, kind: .updated, tunnel: tunnel))
                throw Enough()
            }
        }
        #expect(receiver.ids == [])
        try record(1, in: store)
        #expect(receiver.ids == [1])
    }

    @Test func tokensToo() throws {
        let store = try TunnelStore.inMemory()
        try deliver(store)
        let digest = [UInt8](repeating: 1, count: 32)
        let token = try store.createToken(name: "", scope: .read, digest: digest, at: now, by: "test")
        #expect(try store.revokeToken(id: token.id, at: now, by: "test"))
        #expect(receiver.events.withLock { $0.map(\.event.kind) } == [.tokenCreated, .tokenRevoked])
    }

    /// Two processes write in turn: what the other has written comes before what is written after it.
    @Test func whatAnotherProcessWritesIsFilledIn() throws {
        let directory = try TemporaryDirectory()
        let store = try TunnelStore(path: directory.database)
        let other = try TunnelStore(path: directory.database, as: .visitor)
        try deliver(store)
        try record(2, in: other, name: "other")
        #expect(receiver.ids == [])
        try record(1, in: store)
        #expect(receiver.ids == [1, 2, 3])
        try record(2, in: other, name: "other")
        store.deliverMissedEvents()
        store.deliverMissedEvents()
        try record(1, in: store)
        #expect(receiver.ids == [1, 2, 3, 4, 5, 6])
        #expect(try store.events(after: 0, limit: 10) == receiver.events.withLock { $0 })
    }

    @Test func theRangeIsOfWhatIsKept() throws {
        let store = try TunnelStore.inMemory()
        #expect(try store.eventRange() == nil)
        try record(10, in: store)
        #expect(try store.eventRange() == 1...10)
        try store.pruneEvents(keeping: 4)
        #expect(try store.eventRange() == 7...10)
    }
}

/// What SQLite selects and what `matches` accepts are the same.
@Suite struct SelectionTests {
    private let store: TunnelStore
    private let events: [Event]

    init() throws {
        store = try .inMemory()
        var events: [Event] = []
        for number in 0..<60 {
            let kinds: [Event.Kind] = [.created, .updated, .deleted, .tokenCreated, .failed]
            let kind = kinds[number % 5]
            let labels = [[:], ["site": "a"], ["site": "b", "a'\"": "ä%"], ["site": "a", "a'\"": "ä%"]][number % 4]
            let subject: Event.Subject =
                kind == .tokenCreated
                ? .token(id: 1) : .tunnel(try id(number % 3), name: try name("tun_\(number % 2)"), revision: 1)
            events.append(Event(at: now, kind: kind, subject: subject, labels: labels))
        }
        self.events = events
        try store.write { [events] (transaction) throws(StoreError) in
            for event in events { try transaction.record(event) }
        }
    }

    @Test(arguments: 0..<16) func sqlAgrees(choice: Int) throws {
        var query = EventQuery(limit: 100)
        query.newestFirst = choice % 3 == 0
        if choice & 1 != 0 { query.selection.kinds = [.created, .tokenCreated] }
        if choice & 2 != 0 { query.selection.labels = [("site", "a")] }
        if choice & 4 != 0 { query.selection.labels.append(("a'\"", "ä%")) }
        if choice & 8 != 0 { query.selection.tunnel = choice & 1 != 0 ? .id(try id(2)) : .name(try name("tun_1")) }
        let all = try store.events(EventQuery(limit: 100))
        let matching = all.filter { query.selection.matches($0.event) }
        #expect(try store.events(query) == (query.newestFirst ? matching.reversed() : matching))
        #expect(all.map(\.event) == events)
        query.after = 20
        query.before = 41
        query.limit = 3
        let between = matching.filter { (21...40).contains($0.id) }
        #expect(
            try store.events(query) == (query.newestFirst ? between.reversed().prefix(3) : between.prefix(3)).map { $0 }
        )
    }
}
