internal import GRDB
public import Tunnels

/// What a ``TunnelStore/write(_:)`` does; it can't leave its body.
public struct Transaction: ~Copyable {
    private let database: Database
    private let path: String
    /// What makes a commit impossible. SQLite may have rolled back by itself then, and each further
    /// statement would be a transaction of its own.
    private(set) var failure: StoreError?
    /// The events of this transaction, in order.
    private(set) var recorded: [StoredEvent] = []
    /// The revision of the set once this is committed (``TunnelStore/setRevision``); nil where it stays.
    public var setRevision: Int64? { recorded.last(where: \.event.kind.changesSet)?.id }

    init(_ database: Database, path: String) {
        self.database = database
        self.path = path
    }

    /// - Throws: a refusal; nothing of the tunnel is written then.
    public mutating func insert(_ tunnel: Tunnel) throws(Refusal) {
        try change(tunnel) { try $0.insert(tunnel) }
    }

    /// Replaces the definition, the revision and the time of update of the tunnel with that id. Addresses,
    /// routes and labels that stay as they are aren't written.
    public mutating func update(_ tunnel: Tunnel) throws(Refusal) {
        try change(tunnel) { rows in
            guard try rows.update(tunnel) else { throw Refusal.notFound }
        }
    }

    /// Removes the tunnel and all that belongs to it; its history stays.
    public mutating func delete(_ id: TunnelID) throws(Refusal) {
        do {
            if let failure { throw failure }
            guard try TunnelRows(database).delete(id) else { throw Refusal.notFound }
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw .storage(fail(error))
        }
    }

    /// - Returns: the id of the event, larger than all before.
    /// - Throws: ``StoreError``; the transaction won't commit then.
    @discardableResult
    public mutating func record(_ event: Event) throws(StoreError) -> Int64 {
        let id = try record { try event.insert($0) }
        recorded.append(StoredEvent(id: id, event: event))
        return id
    }

    mutating func record<T>(_ body: (Database) throws -> T) throws(StoreError) -> T {
        do {
            if let failure { throw failure }
            return try body(database)
        } catch {
            throw fail(error)
        }
    }

    /// - Parameter body: leaves nothing behind when it is refused.
    private mutating func change(_ tunnel: Tunnel, _ body: (TunnelRows) throws -> Void) throws(Refusal) {
        do {
            if let failure { throw failure }
            do {
                try body(TunnelRows(database))
            } catch let error where Self.isRefusal(error) {
                throw try refusal(error, of: tunnel)
            }
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw .storage(fail(error))
        }
    }

    private static func isRefusal(_ error: any Error) -> Bool {
        error is Refusal || TunnelRows.isRefusal(error)
    }

    /// SQLite says which index refused; only now is it asked which tunnel is in it.
    private func refusal(_ error: any Error, of tunnel: Tunnel) throws -> Refusal {
        if let refusal = error as? Refusal { return refusal }
        if let refusal = try TunnelRows(database).conflict(with: tunnel) { return refusal }
        return .constraint((error as? DatabaseError)?.message ?? "\(error)")
    }

    private mutating func fail(_ error: any Error) -> StoreError {
        let failure = StoreError(error, path: path)
        self.failure = failure
        return failure
    }
}
