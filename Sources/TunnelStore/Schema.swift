internal import GRDB
internal import Migrations

/// What a database must be before anything is written to it, and how it gets the present schema.
enum Schema {
    /// `application_id` in the file's header, as the first migration sets it: "tunl".
    static let applicationID = 0x7475_6E6C

    /// Bytes. A full check reads every page, some 4 ms for each MiB.
    static let largestFullCheck = 64 << 20

    static let migrator: DatabaseMigrator = {
        var migrator = DatabaseMigrator()
        for migration in Migration.all {
            migrator.registerMigration(migration.name) { try $0.execute(sql: migration.sql) }
        }
        return migrator
    }()

    /// Refuses what isn't ours, what is too new and what is damaged. Only reads; in one transaction, as
    /// another process may be making the database.
    static func inspect(
        _ database: Database, path: String, largestFullCheck: Int = Self.largestFullCheck
    ) throws {
        guard try isOurs(database) else {
            let message = "an SQLite database, but not one of tunneld"
            throw StoreError(.foreign, path: path, message: message)
        }
        let unknown = try migrator.appliedIdentifiers(database).subtracting(migrator.migrations)
        if let version = unknown.max() {
            let known = migrator.migrations.last ?? "none"
            let message = "the database's version is \(version), this tunneld knows up to \(known)"
            throw StoreError(.newer, path: path, message: message)
        }
        let pages = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
        let pageSize = try Int.fetchOne(database, sql: "PRAGMA page_size") ?? 0
        try check(database, path: path, whole: pages * pageSize <= largestFullCheck)
    }

    /// Ours by its mark, or still empty but for the migrator's own table: its maker was killed then.
    private static func isOurs(_ database: Database) throws -> Bool {
        let mark = try Int.fetchOne(database, sql: "PRAGMA application_id")
        guard mark == 0 else { return mark == applicationID }
        let sql =
            "SELECT count(*) FROM sqlite_master WHERE name NOT GLOB 'sqlite_*' AND name NOT GLOB 'grdb_*'"
        return try Int.fetchOne(database, sql: sql) == 0
    }

    /// Reads all pages, or in a very large file those of the definitions and tokens: the size of the
    /// history mustn't decide how long a start takes. Damage elsewhere shows when it is met.
    private static func check(_ database: Database, path: String, whole: Bool) throws {
        let tables = ["tunnel", "tunnel_address", "tunnel_route", "tunnel_label", "token"]
        for check in whole ? ["1"] : tables {
            let verdict = try String.fetchOne(database, sql: "PRAGMA quick_check(\(check))") ?? "ok"
            guard verdict == "ok" else {
                throw StoreError(.damaged, path: path, message: "damaged: \(verdict)")
            }
        }
    }
}
