internal import GRDB
internal import Tunnels

/// The parts of one tunnel that have tables of their own.
struct TunnelLists {
    var addresses: [InterfaceAddress] = []
    var routes: [TunnelRoute] = []
    var labels: [String: String] = [:]
}

/// The rows of the three tables in the order of their tunnels.
struct TunnelListCursors {
    private var addresses: ListCursor<InterfaceAddress>
    private var routes: ListCursor<TunnelRoute>
    private var labels: ListCursor<(key: String, value: String)>

    /// Of all tunnels, or of those that `selection` selects.
    init(_ database: Database, _ selection: String = "", _ arguments: StatementArguments = []) throws {
        func rows(_ columns: String, _ table: String, _ order: String) throws -> RowCursor {
            let sql = "SELECT tunnel_id, \(columns) FROM \(table) \(selection) ORDER BY tunnel_id, \(order)"
            return try Row.fetchCursor(database.cachedStatement(sql: sql), arguments: arguments)
        }
        addresses = try ListCursor(rows("local, peer, prefix_length", "tunnel_address", "position")) {
            try InterfaceAddress($0)
        }
        routes = try ListCursor(rows("network, prefix_length, metric", "tunnel_route", "position")) {
            try TunnelRoute($0)
        }
        labels = try ListCursor(rows("key, value", "tunnel_label", "key")) {
            (try $0.decode(atIndex: 1), try $0.decode(atIndex: 2))
        }
    }

    /// Those of one tunnel, each list in its order; tunnels are to be asked for in the order of their ids.
    mutating func lists(of id: TunnelID) throws -> TunnelLists {
        var lists = TunnelLists()
        while let address = try addresses.next(of: id) { lists.addresses.append(address) }
        while let route = try routes.next(of: id) { lists.routes.append(route) }
        while let (key, value) = try labels.next(of: id) { lists.labels[key] = value }
        return lists
    }
}

private struct ListCursor<Element> {
    private let rows: RowCursor
    private let element: (Row) throws -> Element
    private var row: (id: TunnelID, element: Element)?

    init(_ rows: RowCursor, _ element: @escaping (Row) throws -> Element) throws {
        self.rows = rows
        self.element = element
        try advance()
    }

    private mutating func advance() throws {
        row = try rows.next().map { (id: try $0.tunnelID(at: 0), element: try element($0)) }
    }

    /// The next row if it is that tunnel's.
    mutating func next(of id: TunnelID) throws -> Element? {
        while let row, row.id < id { try advance() }
        guard let row, row.id == id else { return nil }
        try advance()
        return row.element
    }
}

extension TunnelRows {
    /// Four queries over whole tables, walked side by side: one for each tunnel would take ten times as long.
    static func forEach(_ database: Database, _ body: (Tunnel) -> Void) throws {
        var lists = try TunnelListCursors(database)
        let sql = """
            SELECT id, name, kind, local, remote, mtu, ttl, tos, pmtudisc, underlay, fwmark, enabled,
                comment, revision, updated_at, created_at, drift_policy
            FROM tunnel ORDER BY id
            """
        let rows = try Row.fetchCursor(database, sql: sql)
        while let row = try rows.next() {
            let id = try row.tunnelID(at: 0)
            body(try Tunnel(row, id: id, lists: lists.lists(of: id)))
        }
    }
}
