internal import FoundationEssentials
internal import GRDB
public import Tunnels

/// What was answered to a write that had an `Idempotency-Key`.
public struct KeptAnswer: Hashable, Sendable {
    public struct Header: Hashable, Sendable {
        public let name: String
        public let value: String

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// For how long a retry gets it.
    public static let lifetimeMilliseconds: Int64 = 24 * 60 * 60 * 1000

    /// Whose key it is, as an event's actor.
    public var actor: String
    public var key: String
    /// SHA-256 of the request, 32 bytes.
    public var digest: [UInt8]
    public var at: Timestamp
    public var status: Int
    public var headers: [Header]
    public var body: [UInt8]

    public init(
        actor: String, key: String, digest: [UInt8], at: Timestamp, status: Int, headers: [Header], body: [UInt8]
    ) {
        self.actor = actor
        self.key = key
        self.digest = digest
        self.at = at
        self.status = status
        self.headers = headers
        self.body = body
    }
}

extension Transaction {
    /// Keeps an answer, in the place of an older one with this key.
    public mutating func keep(_ answer: KeptAnswer) throws(StoreError) {
        try record { database in
            let upsert = """
                INSERT INTO answer (actor, key, digest, at, status, headers, body) VALUES (?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET digest = excluded.digest, at = excluded.at, status = excluded.status,
                    headers = excluded.headers, body = excluded.body
                """
            let headers = try JSONEncoder().encode(answer.headers.flatMap { [$0.name, $0.value] })
            try database.cachedStatement(sql: upsert).execute(arguments: [
                answer.actor, answer.key, Data(answer.digest), answer.at.milliseconds, answer.status,
                String(decoding: headers, as: UTF8.self), Data(answer.body),
            ])
        }
    }
}

extension TunnelStore {
    /// - Returns: nil where none is kept, or not any more.
    public func answer(to key: String, of actor: String) throws(StoreError) -> KeptAnswer? {
        try access { database in
            let sql = "SELECT digest, at, status, headers, body FROM answer WHERE actor = ? AND key = ?"
            guard let row = try Row.fetchOne(database.cachedStatement(sql: sql), arguments: [actor, key]) else {
                return nil
            }
            let headers = try JSONDecoder().decode(
                [String].self, from: Data(try row.decode(String.self, atIndex: 3).utf8))
            return KeptAnswer(
                actor: actor, key: key, digest: Array(try row.decode(Data.self, atIndex: 0)),
                at: Timestamp(milliseconds: try row.decode(atIndex: 1)), status: try row.decode(atIndex: 2),
                headers: stride(from: 0, to: headers.count - 1, by: 2).map {
                    KeptAnswer.Header(name: headers[$0], value: headers[$0 + 1])
                }, body: Array(try row.decode(Data.self, atIndex: 4)))
        }
    }

    /// Forgets the answers of before a time.
    public func pruneAnswers(before time: Timestamp) throws(StoreError) {
        try access { database in
            try database.cachedStatement(sql: "DELETE FROM answer WHERE at < ?").execute(arguments: [time.milliseconds])
        }
    }

    /// Forgets all answers but the newest: so many, and of bodies that come to so many bytes. Reads the whole table.
    public func pruneAnswers(keeping count: Int, bytes: Int) throws(StoreError) {
        try access { database in
            let sql = """
                DELETE FROM answer WHERE (actor, key) IN (
                    SELECT actor, key FROM (
                        SELECT actor, key, row_number() OVER newest AS number,
                            sum(length(body)) OVER (newest ROWS UNBOUNDED PRECEDING) AS bytes
                        FROM answer WINDOW newest AS (ORDER BY at DESC, actor, key)
                    ) WHERE number > ? OR bytes > ?)
                """
            try database.cachedStatement(sql: sql).execute(arguments: [count, bytes])
        }
    }
}
