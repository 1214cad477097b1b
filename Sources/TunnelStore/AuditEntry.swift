internal import GRDB
public import Tunnels

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

    init(row: Row) throws {
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
