internal import GRDB
public import Tunnels

/// Something that happened, and who did it: the history of tunnels and the audit in one.
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
        case tokenCreated = "token.created"
        case tokenRevoked = "token.revoked"
    }

    public enum Subject: Hashable, Sendable {
        case tunnel(TunnelID, name: InterfaceName, revision: Int64)
        case token(id: Int64)
    }

    public let at: Timestamp
    public let kind: Kind
    public let subject: Subject
    /// Who asked for it, as the server names callers: a user of the socket, a token. nil where nobody did.
    public let actor: String?
    /// A JSON document, or nil.
    public let detail: String?

    public init(at: Timestamp, kind: Kind, subject: Subject, actor: String? = nil, detail: String? = nil) {
        self.at = at
        self.kind = kind
        self.subject = subject
        self.actor = actor
        self.detail = detail
    }
}

extension Event.Subject {
    public init(_ tunnel: Tunnel) {
        self = .tunnel(tunnel.id, name: tunnel.name, revision: tunnel.revision)
    }
}

extension Event {
    func insert(_ database: Database) throws -> Int64 {
        let sql = """
            INSERT INTO event (at, type, actor, tunnel_id, tunnel_name, revision, token_id, detail)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """
        let arguments: StatementArguments =
            switch subject {
            case .tunnel(let id, let name, let revision):
                [at.milliseconds, kind.rawValue, actor, id.text, name.text, revision, nil, detail]
            case .token(let id):
                [at.milliseconds, kind.rawValue, actor, nil, nil, nil, id, detail]
            }
        try database.cachedStatement(sql: sql).execute(arguments: arguments)
        return database.lastInsertedRowID
    }

    /// - Parameter row: id, at, type, actor, tunnel_id, tunnel_name, revision, token_id, detail.
    init(row: Row) throws {
        guard let kind = Kind(rawValue: try row.decode(atIndex: 2)) else {
            throw UnreadableRow("a type of event that isn't known")
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
            at: Timestamp(milliseconds: try row.decode(atIndex: 1)), kind: kind, subject: subject,
            actor: try row.decode(atIndex: 3), detail: try row.decode(atIndex: 8))
    }
}
