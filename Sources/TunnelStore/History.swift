internal import GRDB

extension TunnelStore {
    /// The events after one, in their order.
    ///
    /// - Parameters:
    ///   - id: of the last event that is known; 0 for none.
    ///   - limit: how many at most.
    public func events(after id: Int64, limit: Int) throws(StoreError) -> [(id: Int64, event: Event)] {
        try access { database in
            let sql = """
                SELECT id, at, type, tunnel_id, tunnel_name, revision, detail FROM event
                WHERE id > ? ORDER BY id LIMIT ?
                """
            let rows = try Row.fetchCursor(
                database.cachedStatement(sql: sql), arguments: [id, max(limit, 0)])
            return try Array(rows.map { (id: try $0.decode(atIndex: 0), event: try Event(row: $0)) })
        }
    }

    /// The audit's entries after one, in their order.
    public func audit(after id: Int64, limit: Int) throws(StoreError) -> [(id: Int64, entry: AuditEntry)] {
        try access { database in
            let sql = """
                SELECT id, at, actor, action, tunnel_id, tunnel_name, revision, token_id FROM audit
                WHERE id > ? ORDER BY id LIMIT ?
                """
            let rows = try Row.fetchCursor(
                database.cachedStatement(sql: sql), arguments: [id, max(limit, 0)])
            return try Array(rows.map { (id: try $0.decode(atIndex: 0), entry: try AuditEntry(row: $0)) })
        }
    }

    /// Forgets all events but the latest. Costs one look into the table where there is nothing to do.
    ///
    /// - Parameter count: how many to keep; at least one is kept, so that its id isn't given again.
    /// - Returns: how many were forgotten.
    @discardableResult
    public func pruneEvents(keeping count: Int) throws(StoreError) -> Int {
        try prune("event", keeping: count)
    }

    /// Forgets all of the audit but the latest entries.
    ///
    /// - Parameter count: how many to keep; at least one is kept.
    /// - Returns: how many were forgotten.
    @discardableResult
    public func pruneAudit(keeping count: Int) throws(StoreError) -> Int {
        try prune("audit", keeping: count)
    }

    /// Ids have no holes but at their beginning: they are given in order, and only pruning removes rows.
    private func prune(_ table: String, keeping count: Int) throws(StoreError) -> Int {
        try access { database in
            let sql = "DELETE FROM \(table) WHERE id <= (SELECT max(id) FROM \(table)) - ?"
            try database.cachedStatement(sql: sql).execute(arguments: [max(count, 1)])
            return database.changesCount
        }
    }
}
