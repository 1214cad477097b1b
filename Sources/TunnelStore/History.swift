internal import GRDB
internal import Tunnels

/// A page of the history.
public struct EventQuery: Sendable {
    /// Only events with larger ids; 0 for none.
    public var after: Int64 = 0
    /// Only events with smaller ids.
    public var before: Int64 = .max
    public var newestFirst = false
    public var selection = EventSelection()
    /// How many at most.
    public var limit: Int

    public init(limit: Int) {
        self.limit = limit
    }
}

extension TunnelStore {
    /// The events after one, in their order.
    ///
    /// - Parameters:
    ///   - id: of the last event that is known; 0 for none.
    ///   - limit: how many at most.
    public func events(after id: Int64, limit: Int) throws(StoreError) -> [StoredEvent] {
        var query = EventQuery(limit: limit)
        query.after = id
        return try events(query)
    }

    public func events(_ query: EventQuery) throws(StoreError) -> [StoredEvent] {
        var condition = "id > ? AND id < ?"
        var arguments: StatementArguments = [query.after, query.before]
        // Selections differ in their SQL: kept statements of all of them would pile up.
        let isPlain = !query.selection.add(to: &condition, &arguments)
        let order = query.newestFirst ? "DESC" : "ASC"
        let sql = "SELECT id, \(Event.columns) FROM event WHERE \(condition) ORDER BY id \(order) LIMIT ?"
        arguments += [max(query.limit, 0)]
        return try access { [arguments] database in
            let statement = try isPlain ? database.cachedStatement(sql: sql) : database.makeStatement(sql: sql)
            let rows = try Row.fetchCursor(statement, arguments: arguments)
            return try Array(rows.map(StoredEvent.init(row:)))
        }
    }

    /// The ids of the oldest event that is kept and of the latest; nil where there is none.
    public func eventRange() throws(StoreError) -> ClosedRange<Int64>? {
        try access { database in
            // Two look-ups at the ends of the table; one SELECT of both would walk through all of it.
            let sql = "SELECT (SELECT min(id) FROM event), (SELECT max(id) FROM event)"
            guard let row = try Row.fetchOne(database.cachedStatement(sql: sql)),
                let oldest = try row.decode(Int64?.self, atIndex: 0)
            else { return nil }
            return oldest...(try row.decode(atIndex: 1))
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

extension StoredEvent {
    /// - Parameter row: id, then `Event.columns`.
    init(row: Row) throws {
        self.init(id: try row.decode(atIndex: 0), event: try Event(row: row))
    }
}

extension EventSelection {
    /// The same as `matches`, for SQLite.
    ///
    /// - Returns: whether it selects at all.
    fileprivate func add(to condition: inout String, _ arguments: inout StatementArguments) -> Bool {
        if !kinds.isEmpty {
            condition += " AND type IN (\(kinds.map { _ in "?" }.joined(separator: ", ")))"
            arguments += StatementArguments(kinds.map(\.rawValue))
        }
        switch tunnel {
        case .name(let name):
            condition += " AND tunnel_name = ?"
            arguments += [name.text]
        case .id(let id):
            condition += " AND tunnel_id = ?"
            arguments += [id.text]
        case nil: break
        }
        for (key, value) in labels {
            condition += " AND EXISTS (SELECT 1 FROM json_each(labels) WHERE json_each.key = ? AND json_each.value = ?)"
            arguments += [key, value]
        }
        return !kinds.isEmpty || tunnel != nil || !labels.isEmpty
    }
}
