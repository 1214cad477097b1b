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

    init(row: Row) throws {
        guard let kind = Kind(rawValue: try row.decode(atIndex: 2)) else {
            throw UnreadableRow("a type of event that isn't known")
        }
        self.init(
            at: Timestamp(milliseconds: try row.decode(atIndex: 1)), kind: kind,
            tunnelID: try row.tunnelID(at: 3), tunnelName: try row.interfaceName(at: 4),
            revision: try row.decode(atIndex: 5), detail: try row.decode(atIndex: 6))
    }
}
