import CJoinedLog
import Foundation
import GRDB
import GRDBSQLite
import Testing

/// Logs that are written transaction by transaction, as SQLite without that reads them.
@Suite final class JoinedLogTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "joined-log-\(UUID())")
    private var path: String { folder.appending(path: "a.db").path() }

    init() throws {
        #expect(joined_log_install() == SQLITE_OK)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    private func open(_ pragmas: String = "") throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA cache_size = 10; \(pragmas)")
        }
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try queue.write { try $0.execute(sql: "CREATE TABLE IF NOT EXISTS page (number INTEGER, bytes BLOB)") }
        return queue
    }

    private func insert(_ pages: Int, _ database: Database) throws {
        for number in 0..<pages {
            try database.execute(sql: "INSERT INTO page VALUES (?, randomblob(3000))", arguments: [number])
        }
    }

    /// What a connection over the system's own VFS gets.
    private func plainly(_ sql: String) throws -> String {
        var connection: OpaquePointer?
        defer { sqlite3_close(connection) }
        try #require(sqlite3_open_v2(path, &connection, SQLITE_OPEN_READWRITE, "unix") == SQLITE_OK)
        var statement: OpaquePointer?
        defer { sqlite3_finalize(statement) }
        try #require(sqlite3_prepare_v2(connection, sql, -1, &statement, nil) == SQLITE_OK)
        try #require(sqlite3_step(statement) == SQLITE_ROW)
        return String(cString: try #require(sqlite3_column_text(statement, 0)))
    }

    /// Also where nothing is synced, and with more pages than wait at once, than the cache holds, and than are between
    /// two checkpoints.
    @Test(arguments: ["FULL", "NORMAL", "OFF"]) func eachCommitIsThereForOthersAtOnce(synchronous: String) throws {
        let queue = try open("PRAGMA synchronous = \(synchronous); PRAGMA wal_autocheckpoint = 100")
        var count = 0
        for pages in [1, 2, 7, 40, 33, 32, 31, 300, 1, 0, 1] {
            try queue.write { try insert(pages, $0) }
            count += pages
            #expect(try plainly("SELECT count(*) FROM page") == "\(count)")
        }
        #expect(try plainly("PRAGMA integrity_check") == "ok")
    }

    @Test func whatIsTakenBackIsNowhere() throws {
        let queue = try open()
        try queue.write { try insert(3, $0) }
        for pages in [1, 20, 200] {
            try queue.inDatabase { database in
                try database.execute(sql: "BEGIN")
                try insert(pages, database)
                #expect(try Int.fetchOne(database, sql: "SELECT count(*) FROM page") == 3 + pages)
                #expect(try plainly("SELECT count(*) FROM page") == "3")
                try database.execute(sql: "SAVEPOINT a")
                try insert(pages, database)
                try database.execute(sql: "ROLLBACK TO a; ROLLBACK")
            }
            #expect(try plainly("SELECT count(*) FROM page") == "3")
        }
        try queue.write { try insert(5, $0) }
        #expect(try plainly("SELECT count(*) FROM page") == "8")
        #expect(try plainly("PRAGMA integrity_check") == "ok")
    }

    @Test func logsGoOnOverCheckpointsAndConnections() throws {
        for round in 1...5 {
            let queue = try open()
            for _ in 0..<10 { try queue.write { try insert(9, $0) } }
            if round.isMultiple(of: 2) {
                _ = try queue.writeWithoutTransaction { try $0.checkpoint(.truncate) }
            }
            #expect(try plainly("SELECT count(*) FROM page") == "\(90 * round)")
            try queue.close()
        }
        #expect(try plainly("PRAGMA integrity_check") == "ok")
    }

    /// The same bytes, so that whoever comes after a crash finds what SQLite expects.
    @Test func theLogIsWhatItWouldBe() throws {
        let queue = try open("PRAGMA wal_autocheckpoint = 0")
        for pages in [1, 5, 50] { try queue.write { try insert(pages, $0) } }
        let copy = folder.appending(path: "copy.db").path()
        for suffix in ["", "-wal"] { try FileManager.default.copyItem(atPath: path + suffix, toPath: copy + suffix) }
        let found = try DatabaseQueue(path: copy).read { database in
            (
                try Int.fetchOne(database, sql: "SELECT count(*) FROM page"),
                try String.fetchOne(database, sql: "PRAGMA integrity_check")
            )
        }
        #expect(found.0 == 56 && found.1 == "ok")
    }
}
