internal import GRDB
internal import Tunnels

/// The statements on a tunnel's tables. Each is prepared once and then taken from the connection's cache.
struct TunnelRows {
    private let database: Database

    init(_ database: Database) {
        self.database = database
    }

    /// Leaves nothing of the tunnel where a constraint refuses a part of it.
    func insert(_ tunnel: Tunnel) throws {
        try execute(Self.insertTunnel, tunnel.arguments)
        do {
            try writeLists(of: tunnel, instead: TunnelLists())
        } catch let error where Self.isRefusal(error) {
            // Cheaper than a savepoint, which copies each page that is written.
            _ = try delete(tunnel.id)
            throw error
        }
    }

    /// Leaves the tunnel as it was where a constraint refuses a part of it.
    ///
    /// - Returns: whether there is such a tunnel.
    func update(_ tunnel: Tunnel) throws -> Bool {
        try execute("SAVEPOINT change")
        do {
            try execute(Self.updateTunnel, tunnel.arguments)
            guard database.changesCount == 1 else {
                try execute("RELEASE change")
                return false
            }
            var stored = try TunnelListCursors(database, "WHERE tunnel_id = ?", [tunnel.id.text])
            try writeLists(of: tunnel, instead: try stored.lists(of: tunnel.id))
        } catch let error where Self.isRefusal(error) {
            try execute("ROLLBACK TO change")
            try execute("RELEASE change")
            throw error
        }
        try execute("RELEASE change")
        return true
    }

    /// - Returns: whether there was such a tunnel.
    func delete(_ id: TunnelID) throws -> Bool {
        try execute("DELETE FROM tunnel WHERE id = ?", [id.text])
        return database.changesCount == 1
    }

    static func isRefusal(_ error: any Error) -> Bool {
        (error as? DatabaseError)?.resultCode == .SQLITE_CONSTRAINT
    }

    private func execute(_ sql: String, _ arguments: StatementArguments = []) throws {
        try database.cachedStatement(sql: sql).execute(arguments: arguments)
    }

    private static let insertTunnel = """
        INSERT INTO tunnel (id, name, kind, local, remote, mtu, ttl, tos, pmtudisc, underlay, fwmark, enabled,
            comment, revision, updated_at, created_at, drift_policy)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
        """

    /// Takes the same arguments; ?16, when it was created, stays as it is.
    private static let updateTunnel = """
        UPDATE tunnel SET name = ?2, kind = ?3, local = ?4, remote = ?5, mtu = ?6, ttl = ?7, tos = ?8,
            pmtudisc = ?9, underlay = ?10, fwmark = ?11, enabled = ?12, comment = ?13, revision = ?14,
            updated_at = ?15, drift_policy = ?17
        WHERE id = ?1 AND ?16 IS NOT NULL
        """
}

// MARK: - Addresses, routes and labels

extension TunnelRows {
    private func writeLists(of tunnel: Tunnel, instead stored: TunnelLists) throws {
        let id = tunnel.id.text
        let definition = tunnel.definition
        try replace(stored.addresses, with: definition.addresses) { position in
            try execute("DELETE FROM tunnel_address WHERE tunnel_id = ? AND position = ?", [id, position])
        } insert: { position, address in
            try execute(
                """
                INSERT INTO tunnel_address (tunnel_id, position, local, peer, prefix_length)
                VALUES (?, ?, ?, ?, ?)
                """,
                [id, position, address.local.bits, address.farEnd.bits, address.prefixLength])
        }
        try replace(stored.routes, with: definition.routes) { position in
            try execute("DELETE FROM tunnel_route WHERE tunnel_id = ? AND position = ?", [id, position])
        } insert: { position, route in
            try execute(
                """
                INSERT INTO tunnel_route (tunnel_id, position, network, prefix_length, metric)
                VALUES (?, ?, ?, ?, ?)
                """,
                [id, position, route.to.network.bits, route.to.length, route.metric])
        }
        try writeLabels(definition.labels, instead: stored.labels, of: id)
    }

    /// Writes the places that differ. All removals come first: what moves to another place is unique then.
    private func replace<Element: Equatable>(
        _ stored: [Element], with wanted: [Element], remove: (Int) throws -> Void,
        insert: (Int, Element) throws -> Void
    ) throws {
        let common = min(stored.count, wanted.count)
        for place in stored.indices where place >= common || stored[place] != wanted[place] {
            try remove(place)
        }
        for place in wanted.indices where place >= common || stored[place] != wanted[place] {
            try insert(place, wanted[place])
        }
    }

    private func writeLabels(_ wanted: [String: String], instead stored: [String: String], of id: String)
        throws
    {
        for key in stored.keys where wanted[key] == nil {
            try execute("DELETE FROM tunnel_label WHERE tunnel_id = ? AND key = ?", [id, key])
        }
        for (key, value) in wanted where stored[key] != value {
            let upsert = """
                INSERT INTO tunnel_label (tunnel_id, key, value) VALUES (?, ?, ?)
                ON CONFLICT DO UPDATE SET value = excluded.value
                """
            try execute(upsert, [id, key, value])
        }
    }
}

// MARK: - Who stands in the way

extension TunnelRows {
    func conflict(with tunnel: Tunnel) throws -> Refusal? {
        let (id, definition) = (tunnel.id.text, tunnel.definition)
        let name = "SELECT id, name FROM tunnel WHERE name = ? AND id <> ?"
        if let holder = try holder(name, [definition.name.text, id]) {
            return .nameTaken(by: holder)
        }
        let endpoints = """
            SELECT id, name FROM tunnel
            WHERE remote = ? AND coalesce(local, 0) = ? AND coalesce(underlay, '') = ? AND kind = ? AND id <> ?
            """
        let ends: StatementArguments = [
            definition.remote.bits, definition.local?.bits ?? 0, definition.underlay?.text ?? "",
            definition.kind.rawValue, id,
        ]
        if let holder = try holder(endpoints, ends) {
            return .endpointsTaken(by: holder)
        }
        for address in definition.addresses {
            let sql = """
                SELECT tunnel.id, name FROM tunnel_address JOIN tunnel ON tunnel.id = tunnel_id
                WHERE tunnel_address.local = ? AND peer = ? AND tunnel_id <> ?
                """
            if let holder = try holder(sql, [address.local.bits, address.farEnd.bits, id]) {
                return .addressTaken(address, by: holder)
            }
        }
        return nil
    }

    private func holder(_ sql: String, _ arguments: StatementArguments) throws -> Refusal.Holder? {
        let statement = try database.cachedStatement(sql: sql)
        guard let row = try Row.fetchOne(statement, arguments: arguments) else { return nil }
        return Refusal.Holder(id: try row.tunnelID(at: 0), name: try row.interfaceName(at: 1))
    }
}
