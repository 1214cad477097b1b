internal import GRDB
public import Tunnels

extension TunnelStore {
    /// Rows kept of one tunnel, so that a restless one doesn't fill the ledger.
    static let driftsOfTunnel = 1000

    /// The rows of one tunnel, the newest first.
    ///
    /// - Parameters:
    ///   - id: of the last row of the page before; nil for the first page.
    ///   - limit: how many at most.
    ///   - isOpen: whether only differences are wanted that are still there.
    public func drifts(
        of tunnel: TunnelID, before id: Int64?, limit: Int, isOpen: Bool
    ) throws(StoreError) -> [DriftRecord] {
        try access { database in
            let condition = "tunnel_id = ? AND id < ?" + (isOpen ? " AND outcome IS NULL" : "")
            let sql = "SELECT \(DriftRecord.columns) FROM drift WHERE \(condition) ORDER BY id DESC LIMIT ?"
            let rows = try Row.fetchCursor(
                database.cachedStatement(sql: sql), arguments: [tunnel.text, id ?? Int64.max, max(limit, 0)])
            return try Array(rows.map { try DriftRecord(row: $0) })
        }
    }

    /// All rows of differences that are still there, the oldest first.
    public func openDrifts() throws(StoreError) -> [DriftRecord] {
        try read { database in
            let sql = "SELECT \(DriftRecord.columns) FROM drift WHERE outcome IS NULL ORDER BY id"
            return try Array(Row.fetchCursor(database, sql: sql).map { try DriftRecord(row: $0) })
        }
    }

    /// Forgets all rows but the latest, and those that are open. Costs one look into the table where there is nothing
    /// to do.
    ///
    /// - Parameter count: how many to keep; at least one is kept, so that its id isn't given again.
    /// - Returns: how many were forgotten.
    @discardableResult
    public func pruneDrifts(keeping count: Int) throws(StoreError) -> Int {
        try access { database in
            let sql = """
                DELETE FROM drift WHERE id <= (SELECT max(id) FROM drift) - ? AND outcome IS NOT NULL
                """
            try database.cachedStatement(sql: sql).execute(arguments: [max(count, 1)])
            return database.changesCount
        }
    }
}

extension Transaction {
    /// Writes a row that is new, or how one that is there ended.
    ///
    /// - Returns: its id.
    @discardableResult
    public mutating func store(_ drift: DriftRecord) throws(StoreError) -> Int64 {
        try record { database in
            if let id = drift.id {
                let sql = "UPDATE drift SET outcome = ?, closed_at = ? WHERE id = ?"
                try database.cachedStatement(sql: sql).execute(arguments: [
                    drift.end?.outcome.rawValue, drift.end?.at.milliseconds, id,
                ])
                return id
            }
            let id = try drift.insert(database)
            try DriftRecord.prune(of: drift.tunnel, keeping: TunnelStore.driftsOfTunnel, database)
            return id
        }
    }
}

extension DriftRecord {
    fileprivate static let columns =
        "id, tunnel_id, field, desired, observed, found_at, pid, program, outcome, closed_at"

    fileprivate func insert(_ database: Database) throws -> Int64 {
        let sql = """
            INSERT INTO drift (tunnel_id, field, desired, observed, found_at, pid, program, outcome, closed_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        try database.cachedStatement(sql: sql).execute(arguments: [
            tunnel.text, field, desired, observed, foundAt.milliseconds, author?.pid, author?.program,
            end?.outcome.rawValue, end?.at.milliseconds,
        ])
        return database.lastInsertedRowID
    }

    fileprivate static func prune(of tunnel: TunnelID, keeping count: Int, _ database: Database) throws {
        let sql = """
            DELETE FROM drift WHERE tunnel_id = ?1 AND outcome IS NOT NULL
                AND id <= (SELECT id FROM drift WHERE tunnel_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)
            """
        try database.cachedStatement(sql: sql).execute(arguments: [tunnel.text, count])
    }

    fileprivate init(row: Row) throws {
        let pid = try row.decode(Int32?.self, atIndex: 6)
        let program = try row.decode(String?.self, atIndex: 7)
        var end: End?
        if let word = try row.decode(String?.self, atIndex: 8) {
            guard let outcome = Outcome(rawValue: word) else {
                throw UnreadableRow("an outcome of drift that isn't known")
            }
            end = End(outcome, at: Timestamp(milliseconds: try row.decode(atIndex: 9)))
        }
        self.init(
            id: try row.decode(atIndex: 0), tunnel: try row.tunnelID(at: 1), field: try row.decode(atIndex: 2),
            desired: try row.decode(atIndex: 3), observed: try row.decode(atIndex: 4),
            foundAt: Timestamp(milliseconds: try row.decode(atIndex: 5)),
            author: pid.map { ChangeAuthor(pid: $0, program: program) }, end: end)
    }
}
