internal import FoundationEssentials
internal import GRDB
public import Tunnels

/// What is kept of a bearer token.
public struct Token: Hashable, Sendable {
    /// What a token permits; each scope includes those before it.
    public enum Scope: String, Sendable, CaseIterable, Comparable {
        case read, write, admin

        public static func < (left: Self, right: Self) -> Bool {
            left.rank < right.rank
        }

        private var rank: Int {
            switch self {
            case .read: 0
            case .write: 1
            case .admin: 2
            }
        }
    }

    public let id: Int64
    /// For people; may be empty, and the same as another's.
    public let name: String
    public let scope: Scope
    /// SHA-256 of the token, 32 bytes. The token itself isn't stored.
    public let digest: [UInt8]
    public let createdAt: Timestamp
    /// From when on it isn't valid.
    public let revokedAt: Timestamp?
}

extension TunnelStore {
    /// Stores a token and who made it.
    ///
    /// - Parameter digest: SHA-256 of the token: 32 bytes.
    /// - Throws: `.constraint` for a digest of another length or one that is stored already.
    public func createToken(
        name: String, scope: Token.Scope, digest: [UInt8], at time: Timestamp, by actor: String
    ) throws(StoreError) -> Token {
        defer { deliverMissedEvents() }
        return try transaction { database in
            try database.execute(
                sql: "INSERT INTO token (name, scope, digest, created_at) VALUES (?, ?, ?, ?)",
                arguments: [name, scope.rawValue, Data(digest), time.milliseconds])
            let id = database.lastInsertedRowID
            _ = try Event(at: time, kind: .tokenCreated, subject: .token(id: id), actor: actor).insert(database)
            return Token(
                id: id, name: name, scope: scope, digest: digest, createdAt: time, revokedAt: nil)
        }
    }

    /// All tokens by id, the revoked ones too.
    public func tokens() throws(StoreError) -> [Token] {
        try access { database in
            let sql = "SELECT id, name, scope, digest, created_at, revoked_at FROM token ORDER BY id"
            return try Array(Row.fetchCursor(database, sql: sql).map(Token.init(row:)))
        }
    }

    /// Makes a token invalid for good.
    ///
    /// - Returns: false where there is no such token or it is revoked already.
    public func revokeToken(id: Int64, at time: Timestamp, by actor: String) throws(StoreError) -> Bool {
        defer { deliverMissedEvents() }
        return try transaction { database in
            try database.execute(
                sql: "UPDATE token SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL",
                arguments: [time.milliseconds, id])
            guard database.changesCount == 1 else { return false }
            _ = try Event(at: time, kind: .tokenRevoked, subject: .token(id: id), actor: actor).insert(database)
            return true
        }
    }
}

extension Token {
    fileprivate init(row: Row) throws {
        guard let scope = Scope(rawValue: try row.decode(atIndex: 2)) else {
            throw UnreadableRow("a scope that isn't known")
        }
        self.init(
            id: try row.decode(atIndex: 0), name: try row.decode(atIndex: 1), scope: scope,
            digest: Array(try row.decode(Data.self, atIndex: 3)),
            createdAt: Timestamp(milliseconds: try row.decode(atIndex: 4)),
            revokedAt: try row.decode(Int64?.self, atIndex: 5).map(Timestamp.init(milliseconds:)))
    }
}
