internal import GRDB
internal import Tunnels

/// The parts of one tunnel that have tables of their own.
struct TunnelLists {
    var addresses: [InterfaceAddress] = []
    var routes: [TunnelRoute] = []
    var labels: [String: String] = [:]

    /// By tunnel: of all tunnels, or of those selected. Each list is in its order.
    static func read(
        _ database: Database, _ selection: String = "", _ arguments: StatementArguments = []
    ) throws -> [String: TunnelLists] {
        func rows(_ columns: String, _ table: String, _ order: String) throws -> RowCursor {
            let sql = "SELECT tunnel_id, \(columns) FROM \(table) \(selection) ORDER BY tunnel_id, \(order)"
            return try Row.fetchCursor(database.cachedStatement(sql: sql), arguments: arguments)
        }
        var lists: [String: TunnelLists] = [:]
        let addresses = try rows("local, peer, prefix_length", "tunnel_address", "position")
        while let row = try addresses.next() {
            let address = try InterfaceAddress(row)
            lists[try row.decode(atIndex: 0), default: TunnelLists()].addresses.append(address)
        }
        let routes = try rows("network, prefix_length, metric", "tunnel_route", "position")
        while let row = try routes.next() {
            let route = try TunnelRoute(row)
            lists[try row.decode(atIndex: 0), default: TunnelLists()].routes.append(route)
        }
        let labels = try rows("key, value", "tunnel_label", "key")
        while let row = try labels.next() {
            let key = try row.decode(String.self, atIndex: 1)
            let value = try row.decode(String.self, atIndex: 2)
            lists[try row.decode(atIndex: 0), default: TunnelLists()].labels[key] = value
        }
        return lists
    }
}

extension TunnelRows {
    /// Four queries over whole tables, joined here: one for each tunnel would take ten times as long.
    static func all(_ database: Database) throws -> [Tunnel] {
        let lists = try TunnelLists.read(database)
        let sql = """
            SELECT id, name, kind, local, remote, mtu, ttl, tos, pmtudisc, underlay, fwmark, enabled,
                comment, revision, updated_at, created_at
            FROM tunnel ORDER BY id
            """
        let rows = try Row.fetchCursor(database, sql: sql)
        var tunnels: [Tunnel] = []
        while let row = try rows.next() {
            let id = try row.tunnelID(at: 0)
            tunnels.append(try Tunnel(row, id: id, lists: lists[id.text] ?? TunnelLists()))
        }
        return tunnels
    }
}
