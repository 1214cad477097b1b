internal import CJoinedLog
internal import FoundationEssentials
internal import GRDB

extension TunnelStore {
    /// How long a writer waits for the lock of another process.
    private static let patience = 5.0

    /// For the whole process, before its first connection.
    private static let joinsLog = joined_log_install() == 0

    static var configuration: Configuration {
        _ = joinsLog
        var configuration = Configuration()
        configuration.label = "tunneld.store"
        configuration.busyMode = .timeout(patience)
        // Nobody asks for it, and reading a clock is a system call on some hosts.
        configuration.transactionClock = .custom { _ in .distantPast }
        configuration.prepareDatabase { database in
            // FULL: a commit is on the disk before anybody hears of it. The cache is bounded to 2 MiB, but
            // what a transaction changed stays in it until the commit: spilled, a page would be written
            // again and again. No temporary files, whose disk might be full. The log is cut back to 4 MiB
            // whenever a checkpoint, due each 4000 pages (16 MiB), has emptied it.
            try database.execute(
                sql: """
                    PRAGMA synchronous = FULL;
                    PRAGMA cache_size = -2048;
                    PRAGMA cache_spill = OFF;
                    PRAGMA temp_store = MEMORY;
                    PRAGMA wal_autocheckpoint = 4000;
                    PRAGMA journal_size_limit = 4194304;
                    """)
        }
        return configuration
    }

    /// Inspects before anything is written.
    static func open(_ path: String) throws(StoreError) -> DatabaseQueue {
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.read { try Schema.inspect($0, path: path) }
            return queue
        } catch {
            throw StoreError(error, path: path)
        }
    }

    /// Brings the database to the present schema and the write-ahead log.
    ///
    /// A visitor takes the daemon's lock for it: a schema mustn't change under a daemon that runs. One that
    /// is just starting has the lock too, and is soon done with it itself.
    func prepare() throws(StoreError) {
        for _ in 1...5 {
            if try read(Self.isPrepared) { return }
            do throws(StoreError) {
                let lock = if let lock { lock } else { try DaemonLock(databasePath: path) }
                try access(switchToLog)
                try run { try Schema.migrator.migrate(queue) }
                return withExtendedLifetime(lock) {}
            } catch {
                guard error.code == .inUse else { throw error }
            }
        }
        let message = "its schema is of an earlier version, and another tunneld has it open"
        throw StoreError(.inUse, path: path, message: message)
    }

    /// To be done alone: SQLite doesn't wait for another that does so at the same time.
    private func switchToLog(_ database: Database) throws {
        let mode = try String.fetchOne(database, sql: "PRAGMA journal_mode = WAL") ?? "none"
        guard mode == "wal" else {
            let message = "SQLite can't have a write-ahead log there; its journal is '\(mode)'"
            throw StoreError(.unwritable, path: path, message: message)
        }
    }

    private static func isPrepared(_ database: Database) throws -> Bool {
        try String.fetchOne(database, sql: "PRAGMA journal_mode") == "wal"
            && Schema.migrator.hasCompletedMigrations(database)
    }
}
