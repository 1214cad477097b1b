import Foundation
import GRDB
import Testing
import Tunnels

@testable import TunnelStore

@Suite struct SchemaTests {
    private func database(_ sql: String) throws -> DatabaseQueue {
        let queue = try DatabaseQueue()
        try queue.writeWithoutTransaction { try $0.execute(sql: sql) }
        return queue
    }

    /// Every object's SQL without comments and blanks, and the application's mark.
    private func schema(_ queue: DatabaseQueue) throws -> [String] {
        try queue.read { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT type, name, tbl_name, sql FROM sqlite_master
                    WHERE name NOT GLOB '*grdb_migrations*' ORDER BY type, name
                    """)
            let objects = rows.map { row in
                let sql = (row[3] as String? ?? "").replacing(/--[^\n]*/, with: "").replacing(/\s+/, with: "")
                return "\(row[0] as String) \(row[1] as String) \(row[2] as String) \(sql)"
            }
            return objects + [try String.fetchOne(database, sql: "PRAGMA application_id") ?? ""]
        }
    }

    @Test func migrationsMakeTheSchemaThatIsWrittenDown() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../migrations/schema.sql")
        let expected = try schema(database(try String(contentsOf: file, encoding: .utf8)))
        #expect(try schema(TunnelStore.inMemory().queue) == expected)
        #expect(expected.count > 10)
    }

    @Test func everyTableIsStrict() throws {
        let loose = try TunnelStore.inMemory().queue.read {
            try String.fetchAll(
                $0,
                sql: """
                    SELECT name FROM pragma_table_list
                    WHERE NOT strict AND schema = 'main' AND name NOT GLOB 'sqlite_*' AND name <> 'grdb_migrations'
                    """)
        }
        #expect(loose.isEmpty)
    }

    /// A check with IN and more than two values makes SQLite build a temporary table at each insert, for as long as the
    /// insert itself takes.
    @Test func anInsertBuildsNoTemporaryTable() throws {
        let queue = try TunnelStore.inMemory().queue
        try queue.read { database in
            let tables = try String.fetchAll(
                database, sql: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*'")
            #expect(tables.count > 6)
            for table in tables {
                let program = try Row.fetchAll(database, sql: "EXPLAIN INSERT INTO \(table) DEFAULT VALUES")
                #expect(!program.isEmpty)
                #expect(!program.contains { $0["opcode"] == "OpenEphemeral" }, "\(table)")
            }
        }
    }

    /// What no value of ours can hold, and another program could still write.
    @Test(arguments: [
        "INSERT INTO tunnel_address VALUES ('none', 0, 167772161, 167772161, 24)",
        "UPDATE tunnel SET id = upper(id)",
        "UPDATE tunnel SET name = 'a b'",
        "UPDATE tunnel SET name = '-a'",
        "UPDATE tunnel SET name = 'äöü'",
        "UPDATE tunnel SET name = ''",
        "UPDATE tunnel SET name = 'abcdefghijklmnop'",
        "UPDATE tunnel SET name = 'tunl0'",
        "UPDATE tunnel SET name = 'lo'",
        "UPDATE tunnel SET name = 'all'",
        "UPDATE tunnel SET name = 'default'",
        "UPDATE tunnel SET underlay = 'a/b'",
        "UPDATE tunnel SET underlay = 'lo'",
        "UPDATE tunnel SET kind = 'gre'",
        "UPDATE tunnel SET enabled = 2",
        "UPDATE tunnel SET drift_policy = 'ignore'",
        "UPDATE tunnel SET pmtudisc = NULL",
        "UPDATE tunnel SET remote = 'x'",
        "UPDATE tunnel SET remote = 4294967296",
        "UPDATE tunnel SET ttl = 256",
        "UPDATE tunnel SET tos = 256",
        "UPDATE tunnel SET fwmark = 4294967296",
        "UPDATE tunnel SET revision = 0",
        "UPDATE tunnel_address SET position = -1",
        "UPDATE tunnel_address SET prefix_length = 33",
        "UPDATE tunnel_route SET network = network + 1",
        "UPDATE tunnel_route SET prefix_length = 33",
        "UPDATE tunnel_route SET metric = 4294967296",
        "INSERT INTO event (at, type, tunnel_id, tunnel_name, revision, detail) VALUES (1, 'x', 'y', 'z', 1, '{')",
        "INSERT INTO event (at, type, token_id, actor) VALUES (1, 'x', 1, '')",
        "INSERT INTO event (at, type, token_id, checkpoint_id) VALUES (1, 'x', 1, 'y')",
        "INSERT INTO event (at, type, tunnel_name, revision) VALUES (1, 'x', 'y', 1)",
        "INSERT INTO event (at, type, labels) VALUES (1, 'x', '{')",
        "INSERT INTO event (at, type, tunnel_id, tunnel_name, revision, token_id) VALUES (1, 'x', 'y', 'z', 1, 1)",
        "INSERT INTO event (at, type, tunnel_id, tunnel_name) VALUES (1, 'x', 'y', 'z')",
        "INSERT INTO drift (tunnel_id, field, desired, observed, found_at, program) VALUES ('x', 'y', '', '', 1, 'ip')",
        "INSERT INTO drift (tunnel_id, field, desired, observed, found_at, outcome) VALUES ('x', 'y', '', '', 1, 'z')",
        "INSERT INTO checkpoint (id, created_at, deadline, actor, tunnels) VALUES ('x', 1, 2, 'y', 0)",
        """
        INSERT INTO checkpoint (id, created_at, deadline, actor, tunnels, probe_address)
        SELECT id, 1, 2, 'y', 0, 3 FROM tunnel
        """,
        """
        INSERT INTO checkpoint (id, created_at, deadline, actor, tunnels, outcome)
        SELECT id, 1, 2, 'y', 0, 'confirmed' FROM tunnel
        """,
        """
        INSERT INTO checkpoint (id, created_at, deadline, actor, tunnels, ended_by)
        SELECT id, 1, 2, 'y', 0, 'z' FROM tunnel
        """,
        "INSERT INTO checkpoint_tunnel (checkpoint_id, tunnel_id) VALUES ('none', 'y')",
        "INSERT INTO answer VALUES ('a', 'k', zeroblob(31), 1, 201, '[]', x'')",
        "INSERT INTO answer VALUES ('a', '', zeroblob(32), 1, 201, '[]', x'')",
        """
        INSERT INTO tunnel_total SELECT id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, NULL, 'x', 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM tunnel
        """,
        "INSERT INTO token (name, scope, digest, created_at) VALUES ('', 'root', zeroblob(32), 1)",
        "INSERT INTO token (name, scope, digest, created_at) VALUES ('', 'read', zeroblob(31), 1)",
    ])
    func aRowThatCannotBeIsRefused(sql: String) throws {
        let store = try TunnelStore.inMemory()
        try store.insert(try fullTunnel(1))
        let error = #expect(throws: DatabaseError.self) { try store.execute(sql) }
        #expect(error?.resultCode == .SQLITE_CONSTRAINT, "\(String(describing: error))")
    }

    // MARK: Earlier versions

    /// A dump of each released schema with rows; the present code must read them all.
    static let versions = [
        "version1": PackageResources.version1_sql, "version2": PackageResources.version2_sql,
    ]

    @Test(arguments: versions.keys)
    func aDatabaseOfAnEarlierVersionIsBroughtUpToDate(version: String) throws {
        let directory = try TemporaryDirectory()
        let dump = String(decoding: try #require(Self.versions[version]), as: UTF8.self)
        do {
            let queue = try DatabaseQueue(path: directory.database)
            try queue.writeWithoutTransaction { try $0.execute(sql: dump) }
        }
        let store = try TunnelStore(path: directory.database)
        #expect(try schema(store.queue) == schema(TunnelStore.inMemory().queue))
        var second = try fullTunnel(2)
        // Version 1 had none.
        second.definition.driftPolicy = .enforce
        #expect(try store.tunnels() == [try tunnel(1), second])
        let subject = Event.Subject.tunnel(try id(1), name: try name("tun_1"), revision: 1)
        #expect(
            try store.events(after: 0, limit: 10).map(\.event) == [
                Event(at: now, kind: .created, subject: subject, actor: "uid:0", detail: #"{"by":"uid:0"}"#),
                Event(at: now, kind: .tokenCreated, subject: .token(id: 1), actor: "uid:0"),
                Event(at: later, kind: .tokenRevoked, subject: .token(id: 1), actor: "uid:0"),
                Event(at: later, kind: .drifted, subject: subject),
            ])
        #expect(
            try store.tokens() == [
                Token(
                    id: 1, name: "ci", scope: .write, digest: Array(repeating: 7, count: 32), createdAt: now,
                    revokedAt: later)
            ])
    }
}
