internal import GRDB
public import Tunnels

/// The journal of changes that a kill may leave half-done in the kernel.
extension TunnelStore {
    /// The tunnels whose links a former daemon was changing when it ended.
    public func unfinished() throws(StoreError) -> Set<TunnelID> {
        try read { database in
            let rows = try Row.fetchCursor(database, sql: "SELECT tunnel_id FROM unfinished")
            var ids: Set<TunnelID> = []
            while let row = try rows.next() { ids.insert(try row.tunnelID(at: 0)) }
            return ids
        }
    }

    /// Notes, durably, that the tunnels' links are about to be changed.
    public func noteUnfinished(_ ids: some Sequence<TunnelID>) throws(StoreError) {
        try transaction { database in
            for id in ids { try Self.noteUnfinished(id, database) }
        }
    }

    /// Strikes out tunnels whose links are as they are to be.
    public func strikeOut(_ ids: some Sequence<TunnelID>) throws(StoreError) {
        try transaction { database in
            let sql = "DELETE FROM unfinished WHERE tunnel_id = ?"
            for id in ids { try database.cachedStatement(sql: sql).execute(arguments: [id.text]) }
        }
    }

    fileprivate static func noteUnfinished(_ id: TunnelID, _ database: Database) throws {
        let sql = "INSERT INTO unfinished (tunnel_id) VALUES (?) ON CONFLICT DO NOTHING"
        try database.cachedStatement(sql: sql).execute(arguments: [id.text])
    }
}

extension Transaction {
    /// Notes that the tunnel's link is still to be changed when this is committed.
    public mutating func noteUnfinished(_ id: TunnelID) throws(StoreError) {
        try record { try TunnelStore.noteUnfinished(id, $0) }
    }
}
