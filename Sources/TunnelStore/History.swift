internal import GRDB

extension TunnelStore {
    /// The events after one, in their order.
    ///
    /// - Parameters:
    ///   - id: of the last event that is known; 0 for none.
    ///   - limit: how many at most.
    public func events(after id: Int64, limit: Int) throws(StoreError) -> [(id: Int64, event: Event)] {
        try access { database in
            let sql = "SELECT id, \(Event.columns) FROM event WHERE id > ? ORDER BY id LIMIT ?"
            let rows = try Row.fetchCursor(
                database.cachedStatement(sql: sql), arguments: [id, max(limit, 0)])
            return try Array(rows.map { (id: try $0.decode(atIndex: 0), event: try Event(row: $0)) })
        }
    }

    /// Forgets all events but the latest. Costs one look into the table where there is nothing to do.
    ///
    /// Ids have no holes but at their beginning: they are given in order, and only this removes rows.
    ///
    /// - Parameter count: how many to keep; at least one is kept, so that its id isn't given again.
    /// - Returns: how many were forgotten.
    @discardableResult
    public func pruneEvents(keeping count: Int) throws(StoreError) -> Int {
        try access { database in
            let sql = "DELETE FROM event WHERE id <= (SELECT max(id) FROM event) - ?"
            try database.cachedStatement(sql: sql).execute(arguments: [max(count, 1)])
            return database.changesCount
        }
    }
}
