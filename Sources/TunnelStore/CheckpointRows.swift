internal import GRDB
public import Tunnels

extension TunnelStore {
    /// The latest checkpoints, newest first.
    ///
    /// - Parameter limit: how many at most.
    public func checkpoints(limit: Int) throws(StoreError) -> [Checkpoint] {
        try access { database in
            let sql = "SELECT \(Checkpoint.columns) FROM checkpoint ORDER BY id DESC LIMIT ?"
            let rows = try Row.fetchCursor(database, sql: sql, arguments: [max(limit, 0)])
            return try Array(rows.map(Checkpoint.init(row:)))
        }
    }

    /// The one that is neither confirmed nor reverted.
    public func pendingCheckpoint() throws(StoreError) -> Checkpoint? {
        try access { database in
            let sql = "SELECT \(Checkpoint.columns) FROM checkpoint WHERE outcome IS NULL"
            return try Row.fetchOne(database, sql: sql).map(Checkpoint.init(row:))
        }
    }

    /// The tunnels of the pending checkpoint as they were, by id; none of one that has ended.
    public func formerTunnels(of checkpoint: CheckpointID) throws(StoreError) -> [FormerTunnel] {
        try access { database in
            let sql = "SELECT tunnel_id, former FROM checkpoint_tunnel WHERE checkpoint_id = ? ORDER BY tunnel_id"
            let rows = try Row.fetchCursor(database, sql: sql, arguments: [checkpoint.text])
            return try Array(
                rows.map { row in
                    let id = try row.tunnelID(at: 0)
                    guard let json = try row.decode(String?.self, atIndex: 1) else { return FormerTunnel(none: id) }
                    return try FormerTunnel(id: id, json: json)
                })
        }
    }

    /// Forgets all that have ended but the latest. Costs one look into the table where there is nothing to do.
    ///
    /// - Returns: how many were forgotten.
    @discardableResult
    public func pruneCheckpoints(keeping count: Int) throws(StoreError) -> Int {
        try access { database in
            let sql = """
                DELETE FROM checkpoint WHERE outcome IS NOT NULL AND id IN (
                    SELECT id FROM checkpoint WHERE outcome IS NOT NULL ORDER BY id DESC LIMIT -1 OFFSET ?)
                """
            try database.cachedStatement(sql: sql).execute(arguments: [max(count, 0)])
            return database.changesCount
        }
    }
}

extension Transaction {
    /// Keeps a former state.
    ///
    /// - Throws: `.constraint` where another checkpoint is pending.
    public mutating func insert(_ checkpoint: Checkpoint, former: [FormerTunnel]) throws(StoreError) {
        try record { database in
            let sql = """
                INSERT INTO checkpoint (id, created_at, deadline, actor, probe_address, probe_tunnel, tunnels)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """
            try database.cachedStatement(sql: sql).execute(arguments: [
                checkpoint.id.text, checkpoint.createdAt.milliseconds, checkpoint.deadline.milliseconds,
                checkpoint.actor, checkpoint.probe?.address.bits, checkpoint.probe?.tunnel.text, checkpoint.tunnels,
            ])
            let insert = "INSERT INTO checkpoint_tunnel (checkpoint_id, tunnel_id, former) VALUES (?, ?, ?)"
            let statement = try database.cachedStatement(sql: insert)
            for tunnel in former {
                try statement.execute(arguments: [checkpoint.id.text, tunnel.id.text, try tunnel.json()])
            }
        }
    }

    /// Says how a pending checkpoint ended, and forgets the former state. What failed is known later: see
    /// ``note(_:of:)``.
    ///
    /// - Throws: `.constraint` where there is no such checkpoint, or it has ended before.
    public mutating func end(_ checkpoint: CheckpointID, _ end: Checkpoint.End) throws(StoreError) {
        try record { database in
            let sql = "UPDATE checkpoint SET outcome = ?, ended_at = ?, ended_by = ? WHERE id = ? AND outcome IS NULL"
            try database.cachedStatement(sql: sql).execute(arguments: [
                end.outcome.rawValue, end.at.milliseconds, end.actor, checkpoint.text,
            ])
            guard database.changesCount == 1 else {
                throw DatabaseError(resultCode: .SQLITE_CONSTRAINT, message: "\(checkpoint) isn't pending")
            }
            try database.execute(
                sql: "DELETE FROM checkpoint_tunnel WHERE checkpoint_id = ?", arguments: [checkpoint.text])
        }
    }

    /// Notes what the kernel refused of a revert.
    public mutating func note(
        _ failures: [Checkpoint.Failure], of checkpoint: CheckpointID
    ) throws(StoreError) {
        try record { database in
            let sql = "UPDATE checkpoint SET failures = ? WHERE id = ? AND outcome IS NOT NULL"
            try database.execute(sql: sql, arguments: [try Checkpoint.encoded(failures), checkpoint.text])
        }
    }
}

extension Checkpoint {
    /// What ``init(row:)`` reads.
    fileprivate static let columns = """
        id, created_at, deadline, actor, probe_address, probe_tunnel, tunnels, outcome, ended_at, ended_by, failures
        """

    fileprivate init(row: Row) throws {
        let text = try row.decode(String.self, atIndex: 0)
        guard let id = CheckpointID(text) else { throw UnreadableRow("\(text) as a checkpoint's id") }
        let probe = try row.decode(UInt32?.self, atIndex: 4).map {
            Probe(address: IPv4Address(bits: $0), tunnel: try row.interfaceName(at: 5))
        }
        self.init(
            id: id, createdAt: Timestamp(milliseconds: try row.decode(atIndex: 1)),
            deadline: Timestamp(milliseconds: try row.decode(atIndex: 2)), actor: try row.decode(atIndex: 3),
            probe: probe, tunnels: try row.decode(atIndex: 6), end: try End(row: row))
    }
}

extension Checkpoint.End {
    fileprivate init?(row: Row) throws {
        guard let text = try row.decode(String?.self, atIndex: 7) else { return nil }
        guard let outcome = Checkpoint.Outcome(rawValue: text) else {
            throw UnreadableRow("an outcome of a checkpoint that isn't known")
        }
        self.init(
            outcome, at: Timestamp(milliseconds: try row.decode(atIndex: 8)), actor: try row.decode(atIndex: 9),
            failures: try Checkpoint.failures(json: try row.decode(String?.self, atIndex: 10)))
    }
}
