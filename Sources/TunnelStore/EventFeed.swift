internal import GRDB
internal import Synchronization

/// An event with its place in the history.
public struct StoredEvent: Hashable, Sendable {
    /// One more than that of the event before.
    public let id: Int64
    public let event: Event

    public init(id: Int64, event: Event) {
        self.id = id
        self.event = event
    }
}

/// Hands on what was committed, in the order of the ids: each event once, and those of other processes too.
///
/// Used only where the store's one connection is held, so that two transactions can't be mixed up.
final class EventFeed: Sendable {
    private struct State {
        var receiver: (@Sendable ([StoredEvent]) -> Void)?
        /// The last event that was handed on, or was there before.
        var latest: Int64 = 0
    }

    private let state = Mutex(State())

    func start(after latest: Int64, _ receiver: @escaping @Sendable ([StoredEvent]) -> Void) {
        state.withLock { $0 = State(receiver: receiver, latest: latest) }
    }

    /// - Parameter events: of a transaction that was just committed.
    func deliver(_ events: [StoredEvent], _ database: Database) {
        guard let first = events.first else { return }
        state.withLock { state in
            guard let receiver = state.receiver else { return }
            if first.id > state.latest + 1 {
                // Another process has written in between.
                hand(Self.events(after: state.latest, before: first.id, database), to: receiver, &state)
            }
            hand(events, to: receiver, &state)
        }
    }

    /// Hands on what only other processes have written.
    func deliverMissed(_ database: Database) {
        state.withLock { state in
            guard let receiver = state.receiver else { return }
            hand(Self.events(after: state.latest, before: .max, database), to: receiver, &state)
        }
    }

    private func hand(
        _ events: [StoredEvent], to receiver: @Sendable ([StoredEvent]) -> Void, _ state: inout State
    ) {
        guard let last = events.last else { return }
        state.latest = last.id
        receiver(events)
    }

    /// What can't be read is left out: receivers see that by the ids.
    private static func events(after id: Int64, before end: Int64, _ database: Database) -> [StoredEvent] {
        let sql = "SELECT id, \(Event.columns) FROM event WHERE id > ? AND id < ? ORDER BY id"
        do {
            let rows = try Row.fetchCursor(database.cachedStatement(sql: sql), arguments: [id, end])
            return try Array(rows.map(StoredEvent.init(row:)))
        } catch {
            return []
        }
    }
}

extension TunnelStore {
    /// From now on gives each event that is committed to the receiver, once, by id and without a hole. What other
    /// processes write comes with the next transaction of this one, or when ``deliverMissedEvents()`` is called.
    ///
    /// - Parameter receiver: is called while the store is held: it must not use the store, and return at once.
    public func deliverEvents(to receiver: @escaping @Sendable ([StoredEvent]) -> Void) throws(StoreError) {
        try access { database in
            feed.start(after: try Int64.fetchOne(database, sql: "SELECT max(id) FROM event") ?? 0, receiver)
        }
    }

    /// Delivers what other processes have written since.
    public func deliverMissedEvents() {
        // Nothing is lost by a failure: the next call delivers it.
        try? access { feed.deliverMissed($0) }
    }
}
