internal import FoundationEssentials
internal import GRDB
public import Tunnels

/// Something that happened, and who did it: the history of tunnels and the audit in one.
public struct Event: Hashable, Sendable {
    public enum Kind: String, Sendable, CaseIterable {
        case created, updated, deleted
        /// A link that somebody else had made became a tunnel.
        case adopted
        /// A tunnel was forgotten, and its link left as it was.
        case unmanaged
        /// The kernel's link went up or down.
        case up, down
        /// The kernel refused what is wanted.
        case failed
        /// Somebody else changed the link, its addresses or routes.
        case drifted
        /// The kernel is again as wanted.
        case repaired
        /// Somebody else changes the tunnel as often as it is repaired; it is left alone for a while.
        case repairSuspended = "repair.suspended"
        case tokenCreated = "token.created"
        case tokenRevoked = "token.revoked"
        /// A change was made that goes back unless it is confirmed.
        case checkpointCreated = "checkpoint.created"
        case checkpointConfirmed = "checkpoint.confirmed"
        case checkpointReverted = "checkpoint.reverted"

        /// Whether the set of tunnels, or a definition in it, is another one since.
        var changesSet: Bool {
            switch self {
            case .created, .updated, .deleted, .adopted, .unmanaged: true
            default: false
            }
        }
    }

    public enum Subject: Hashable, Sendable {
        case tunnel(TunnelID, name: InterfaceName, revision: Int64)
        case token(id: Int64)
        case checkpoint(id: String)
        case host
    }

    public let at: Timestamp
    public let kind: Kind
    public let subject: Subject
    /// Who asked for it, as the server names callers: a user of the socket, a token. nil where nobody did.
    public let actor: String?
    /// The tunnel's, as they were.
    public let labels: [String: String]
    /// A JSON document, or nil.
    public let detail: String?

    public init(
        at: Timestamp, kind: Kind, subject: Subject, actor: String? = nil, labels: [String: String] = [:],
        detail: String? = nil
    ) {
        self.at = at
        self.kind = kind
        self.subject = subject
        self.actor = actor
        self.labels = labels
        self.detail = detail
    }
}

extension Event {
    /// Of a tunnel as it is at the time.
    public init(at: Timestamp, kind: Kind, tunnel: Tunnel, actor: String? = nil, detail: String? = nil) {
        let subject = Subject.tunnel(tunnel.id, name: tunnel.name, revision: tunnel.revision)
        self.init(at: at, kind: kind, subject: subject, actor: actor, labels: tunnel.definition.labels, detail: detail)
    }
}

extension Event {
    /// What ``insert(_:)`` writes and ``init(row:)`` reads, after the id.
    static let columns = "at, type, actor, tunnel_id, tunnel_name, revision, token_id, checkpoint_id, labels, detail"

    func insert(_ database: Database) throws -> Int64 {
        let sql = "INSERT INTO event (\(Self.columns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        var tunnel: (id: String, name: String, revision: Int64)?
        var token: Int64?
        var checkpoint: String?
        switch subject {
        case .tunnel(let id, let name, let revision): tunnel = (id.text, name.text, revision)
        case .token(let id): token = id
        case .checkpoint(let id): checkpoint = id
        case .host: break
        }
        try database.cachedStatement(sql: sql).execute(arguments: [
            at.milliseconds, kind.rawValue, actor, tunnel?.id, tunnel?.name, tunnel?.revision, token, checkpoint,
            encodedLabels, detail,
        ])
        return database.lastInsertedRowID
    }

    /// - Parameter row: id, then ``columns``.
    init(row: Row) throws {
        guard let kind = Kind(rawValue: try row.decode(atIndex: 2)) else {
            throw UnreadableRow("a type of event that isn't known")
        }
        let subject: Subject =
            if let token = try row.decode(Int64?.self, atIndex: 7) {
                .token(id: token)
            } else if let checkpoint = try row.decode(String?.self, atIndex: 8) {
                .checkpoint(id: checkpoint)
            } else if try row.decode(String?.self, atIndex: 4) == nil {
                .host
            } else {
                .tunnel(
                    try row.tunnelID(at: 4), name: try row.interfaceName(at: 5),
                    revision: try row.decode(atIndex: 6))
            }
        let labels = try row.decode(String?.self, atIndex: 9).map {
            try JSONDecoder().decode([String: String].self, from: Data($0.utf8))
        }
        self.init(
            at: Timestamp(milliseconds: try row.decode(atIndex: 1)), kind: kind, subject: subject,
            actor: try row.decode(atIndex: 3), labels: labels ?? [:], detail: try row.decode(atIndex: 10))
    }

    /// By hand: of an event of a thousand, Foundation's encoder would take the most time.
    private var encodedLabels: String? {
        guard !labels.isEmpty else { return nil }
        let members = labels.sorted { $0.key < $1.key }.map { "\(Self.quoted($0.key)):\(Self.quoted($0.value))" }
        return "{\(members.joined(separator: ","))}"
    }

    /// A JSON string (RFC 8259, section 7).
    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\0"..."\u{1F}":
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
