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

    /// The id of the latest event that changed the set of tunnels. Where none is left, all before the kept ones count as
    /// such: then it is at least what it was.
    func readSetRevision() throws(StoreError) -> Int64 {
        let kinds = Event.Kind.allCases.filter(\.changesSet).map { "'\($0.rawValue)'" }.joined(separator: ", ")
        return try read { database in
            let latest = "SELECT id FROM event WHERE type IN (\(kinds)) ORDER BY id DESC LIMIT 1"
            if let id = try Int64.fetchOne(database, sql: latest) { return id }
            return try Int64.fetchOne(database, sql: "SELECT min(id) - 1 FROM event") ?? 0
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
