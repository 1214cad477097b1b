internal import FoundationEssentials
internal import GRDB

/// Why a history file can't be gone on with.
enum Unusable: Error, CustomStringConvertible {
    case damaged(String)
    /// Of a later version, or another program's: it may be of use to somebody.
    case foreign(String)

    var description: String {
        switch self {
        case .damaged(let what): "damaged: \(what)"
        case .foreign(let what): what
        }
    }

    init?(_ error: any Error) {
        switch error {
        case let error as Unusable: self = error
        case DatabaseError.SQLITE_CORRUPT, DatabaseError.SQLITE_NOTADB: self = .damaged("\(error)")
        case is RowDecodingError: self = .damaged("\(error)")
        default: return nil
        }
    }
}

extension HistoryFile {
    /// "tunh".
    private static let applicationID = 0x7475_6E68
    private static let version = 1
    private static let pageBytes = 4096

    /// Pages that the file may have: an eighth of the budget is for what a transaction writes into the log.
    static func pages(_ budget: Int) -> Int { max(budget / 8 * 7 / pageBytes, 16) }

    static func configuration(pages: Int) -> Configuration {
        var configuration = Configuration()
        configuration.label = "tunneld.history"
        configuration.busyMode = .timeout(1)
        configuration.prepareDatabase { database in
            // NORMAL: the disk is waited for when the log is moved into the file, not at a commit; a crash of the host
            // may cost the latest minutes, never the file. A large transaction goes to the log page by page.
            try database.execute(
                sql: """
                    PRAGMA auto_vacuum = INCREMENTAL;
                    PRAGMA synchronous = NORMAL;
                    PRAGMA cache_size = -2048;
                    PRAGMA temp_store = MEMORY;
                    PRAGMA journal_size_limit = 1048576;
                    PRAGMA max_page_count = \(pages);
                    """)
        }
        return configuration
    }

    /// The file is only for its owner.
    static func create(_ path: String) throws {
        let manager = FileManager.default
        guard !manager.fileExists(atPath: path) else { return }
        try Data().write(to: URL(filePath: path), options: .withoutOverwriting)
        try manager.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    }

    static func prepare(_ queue: DatabaseQueue) throws {
        let version = try queue.read(inspectedVersion)
        try queue.writeWithoutTransaction { database in
            _ = try String.fetchOne(database, sql: "PRAGMA journal_mode = WAL")
        }
        guard version == 0 else { return }
        try queue.write { try $0.execute(sql: schema) }
    }

    /// - Returns: 0 for one that is still empty.
    private static func inspectedVersion(_ database: Database) throws -> Int {
        let mark = try Int.fetchOne(database, sql: "PRAGMA application_id")
        let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        let isEmpty = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master") == 0
        if isEmpty, mark == 0 || mark == applicationID { return 0 }
        guard mark == applicationID else { throw Unusable.foreign("not a history of tunneld") }
        guard version <= self.version else { throw Unusable.foreign("of version \(version), known is \(self.version)") }
        return version
    }

    private static let schema = """
        PRAGMA application_id = \(applicationID);
        PRAGMA user_version = \(version);
        -- gone: the tunnel was deleted, and its rows are to be.
        CREATE TABLE tunnel (
            number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, gone INTEGER NOT NULL DEFAULT 0
        ) STRICT;
        -- What was before a time, in seconds since 1970, was dropped.
        CREATE TABLE dropped (resolution INTEGER PRIMARY KEY, since INTEGER NOT NULL) STRICT;
        -- key: the block's number << 32 | the tunnel's. points: see Block.swift.
        CREATE TABLE ten_seconds (key INTEGER PRIMARY KEY, points BLOB NOT NULL) STRICT;
        CREATE TABLE minute (key INTEGER PRIMARY KEY, points BLOB NOT NULL) STRICT;
        CREATE TABLE hour (key INTEGER PRIMARY KEY, points BLOB NOT NULL) STRICT;
        """

    /// Makes room for a new file: what is damaged goes, what is another's is set aside.
    ///
    /// - Returns: what was done, for the log.
    static func clear(_ path: String, because reason: Unusable) throws -> String {
        let manager = FileManager.default
        for ending in ["-wal", "-shm"] where manager.fileExists(atPath: path + ending) {
            try manager.removeItem(atPath: path + ending)
        }
        guard case .foreign = reason else {
            try manager.removeItem(atPath: path)
            return "removed"
        }
        let aside = path + ".aside"
        if manager.fileExists(atPath: aside) { try manager.removeItem(atPath: aside) }
        try manager.moveItem(atPath: path, toPath: aside)
        return "moved to \(aside)"
    }
}
