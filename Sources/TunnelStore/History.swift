internal import GRDB
public import Tunnels

/// Something that happened to a tunnel.
public struct Event: Hashable, Sendable {
    public enum Kind: String, Sendable, CaseIterable {
        case created, updated, deleted
        /// The kernel's link went up or down.
        case up, down
        /// The kernel refused what is wanted.
        case failed
        /// Somebody else changed the link, its addresses or routes.
        case drifted
        /// The kernel is again as wanted.
        case repaired
    }

    public let at: Timestamp
    public let kind: Kind
    public let tunnelID: TunnelID
    public let tunnelName: InterfaceName
    public let revision: Int64
    /// A JSON document, or nil.
    public let detail: String?

    public init(
        at: Timestamp, kind: Kind, tunnelID: TunnelID, tunnelName: InterfaceName, revision: Int64,
        detail: String? = nil
    ) {
        self.at = at
        self.kind = kind
        self.tunnelID = tunnelID
        self.tunnelName = tunnelName
        self.revision = revision
        self.detail = detail
    }
}

/// Who did what.
public struct AuditEntry: Hashable, Sendable {
    public enum Action: String, Sendable, CaseIterable {
        case tunnelCreated = "tunnel.created"
        case tunnelUpdated = "tunnel.updated"
        case tunnelDeleted = "tunnel.deleted"
        case tokenCreated = "token.created"
        case tokenRevoked = "token.revoked"
    }

    public enum Subject: Hashable, Sendable {
        case tunnel(TunnelID, name: InterfaceName, revision: Int64)
        case token(id: Int64)
    }

    public let at: Timestamp
    /// As the server names callers: a user of the socket, a token.
    public let actor: String
    public let action: Action
    public let subject: Subject

    public init(at: Timestamp, actor: String, action: Action, subject: Subject) {
        self.at = at
        self.actor = actor
        self.action = action
        self.subject = subject
    }
}

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
            return try Array(rows.map { (id: try $0.decode(atIndex: 0), event: try Event($0)) })
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
            return try Array(rows.map { (id: try $0.decode(atIndex: 0), entry: try AuditEntry($0)) })
        }
    }

    /// Forgets all events but the latest. Costs one look into the table where there is nothing to do.
    ///
    /// - Returns: how many were forgotten.
    @discardableResult
    public func pruneEvents(keeping count: Int) throws(StoreError) -> Int {
        try prune("event", keeping: count)
    }

    /// Forgets all of the audit but the latest entries.
    ///
    /// - Returns: how many were forgotten.
    @discardableResult
    public func pruneAudit(keeping count: Int) throws(StoreError) -> Int {
        try prune("audit", keeping: count)
    }

    /// Ids have no holes but at their beginning: they are given in order, and only pruning removes rows.
    private func prune(_ table: String, keeping count: Int) throws(StoreError) -> Int {
        try access { database in
            let sql = "DELETE FROM \(table) WHERE id <= (SELECT max(id) FROM \(table)) - ?"
            try database.cachedStatement(sql: sql).execute(arguments: [max(count, 0)])
            return database.changesCount
        }
    }
}

// MARK: - Rows

extension Event {
    func insert(_ database: Database) throws -> Int64 {
        let sql = """
            INSERT INTO event (at, type, tunnel_id, tunnel_name, revision, detail) VALUES (?, ?, ?, ?, ?, ?)
            """
        try database.cachedStatement(sql: sql).execute(arguments: [
            at.milliseconds, kind.rawValue, tunnelID.text, tunnelName.text, revision, detail,
        ])
        return database.lastInsertedRowID
    }

    fileprivate init(_ row: Row) throws {
        guard let kind = Kind(rawValue: try row.decode(atIndex: 2)) else {
            throw UnreadableRow("a type of event that isn't known")
        }
        self.init(
            at: Timestamp(milliseconds: try row.decode(atIndex: 1)), kind: kind,
            tunnelID: try row.tunnelID(at: 3), tunnelName: try row.interfaceName(at: 4),
            revision: try row.decode(atIndex: 5), detail: try row.decode(atIndex: 6))
    }
}

extension AuditEntry {
    func insert(_ database: Database) throws {
        let sql = """
            INSERT INTO audit (at, actor, action, tunnel_id, tunnel_name, revision, token_id)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """
        let subject: [(any DatabaseValueConvertible)?] =
            switch subject {
            case .tunnel(let id, let name, let revision): [id.text, name.text, revision, nil]
            case .token(let id): [nil, nil, nil, id]
            }
        try database.cachedStatement(sql: sql).execute(
            arguments: [at.milliseconds, actor, action.rawValue] + StatementArguments(subject))
    }

    fileprivate init(_ row: Row) throws {
        guard let action = Action(rawValue: try row.decode(atIndex: 3)) else {
            throw UnreadableRow("an action that isn't known")
        }
        let subject: Subject =
            if let token = try row.decode(Int64?.self, atIndex: 7) {
                .token(id: token)
            } else {
                .tunnel(
                    try row.tunnelID(at: 4), name: try row.interfaceName(at: 5),
                    revision: try row.decode(atIndex: 6))
            }
        self.init(
            at: Timestamp(milliseconds: try row.decode(atIndex: 1)), actor: try row.decode(atIndex: 2),
            action: action, subject: subject)
    }
}
