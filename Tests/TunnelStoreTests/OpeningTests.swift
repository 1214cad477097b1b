import Foundation
import GRDB
import Testing
import Tunnels

@testable import TunnelStore

@Suite struct OpeningTests {
    let directory: TemporaryDirectory
    var path: String { directory.database }

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    private func openError(_ path: String, as role: TunnelStore.Role = .daemon) -> StoreError? {
        #expect(throws: StoreError.self) { try TunnelStore(path: path, as: role) }
    }

    /// Makes a database with rows, closes it and hands over its bytes.
    private func makeDatabase(tunnels: Int = 1, _ edit: (TunnelStore) throws -> Void = { _ in }) throws
        -> Data
    {
        do {
            let store = try TunnelStore(path: path)
            try store.write { (transaction) throws in
                for number in 1...tunnels { try transaction.insert(try tunnel(number)) }
            }
            try edit(store)
        }
        return try Data(contentsOf: URL(filePath: path))
    }

    /// - Parameter page: counted from 1, as SQLite does.
    private func overwrite(page: Int) throws {
        let file = try FileHandle(forUpdating: URL(filePath: path))
        try file.seek(toOffset: UInt64(page - 1) * 4096)
        try file.write(contentsOf: Data(repeating: 0xA5, count: 4096))
        try file.close()
    }

    private func expectUntouched(_ bytes: Data) throws {
        #expect(try Data(contentsOf: URL(filePath: path)) == bytes)
    }

    // MARK: New

    @Test func aNewDatabaseAndItsDirectoriesAreTheOwnersAlone() throws {
        let parent = directory.path + "/a"
        let path = parent + "/b/tunneld.db"
        let store = try TunnelStore(path: path)
        try store.insert(try tunnel(1))
        for directory in [parent, parent + "/b"] { #expect(try mode(directory) == 0o700) }
        for suffix in ["", "-wal", "-shm", ".lock"] { #expect(try mode(path + suffix) == 0o600, "\(suffix)") }
    }

    @Test func whatIsThereKeepsItsMode() throws {
        _ = try makeDatabase()
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
        _ = try TunnelStore(path: path)
        #expect(try mode(path) == 0o640)
    }

    @Test func aMakerThatWasKilledEarlyIsNoObstacle() throws {
        try Data().write(to: URL(filePath: path))
        do {
            // GRDB's migrator makes its own table before the first migration.
            let queue = try DatabaseQueue(path: path)
            try queue.writeWithoutTransaction {
                try $0.execute(sql: "CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY)")
            }
        }
        #expect(try TunnelStore(path: path).tunnels().isEmpty)
    }

    // MARK: Refused

    @Test func aNewerDatabaseIsRefusedAndUntouched() throws {
        let bytes = try makeDatabase {
            try $0.execute("INSERT INTO grdb_migrations VALUES ('m9999_future')")
        }
        for role in [TunnelStore.Role.daemon, .visitor] {
            let error = openError(path, as: role)
            #expect(error?.code == .newer)
            #expect(error?.message.contains("m9999_future") == true)
            #expect(error?.message.contains(Schema.migrator.migrations.last ?? "-") == true)
            #expect(error?.path == path)
        }
        try expectUntouched(bytes)
    }

    @Test func anotherProgramsDatabaseIsRefusedAndUntouched() throws {
        for sql in ["CREATE TABLE bookmark (url TEXT)", "PRAGMA application_id = 7"] {
            let queue = try DatabaseQueue(path: path)
            try queue.writeWithoutTransaction { try $0.execute(sql: sql) }
            try queue.close()
            let bytes = try Data(contentsOf: URL(filePath: path))
            #expect(openError(path)?.code == .foreign)
            try expectUntouched(bytes)
            try FileManager.default.removeItem(atPath: path)
        }
    }

    @Test func whatIsNoDatabaseIsRefusedAndUntouched() throws {
        for text in ["no", String(repeating: "This is a text, not a database.\n", count: 500)] {
            let bytes = Data(text.utf8)
            try bytes.write(to: URL(filePath: path))
            let error = openError(path)
            #expect(error?.code == .damaged)
            #expect(error?.message == "file is not a database")
            try expectUntouched(bytes)
        }
    }

    @Test(arguments: [0.001, 0.1, 0.5, 0.9, 0.999])
    func aDatabaseCutOffIsRefusedAndUntouched(share: Double) throws {
        let whole = try makeDatabase(tunnels: 500)
        let bytes = whole.prefix(Int(Double(whole.count) * share))
        try bytes.write(to: URL(filePath: path))
        #expect(openError(path)?.code == .damaged)
        try expectUntouched(bytes)
    }

    @Test func aBrokenPageIsFoundAtOpen() throws {
        let whole = try makeDatabase(tunnels: 2000)
        let pages = whole.count / 4096
        // Of the later pages none is free or a mere index here: each holds rows, or leads to them.
        for page in stride(from: 2, to: pages, by: max(1, pages / 12)) {
            var bytes = whole
            bytes.replaceSubrange(page * 4096..<page * 4096 + 64, with: repeatElement(0xA5, count: 64))
            try bytes.write(to: URL(filePath: path))
            #expect(openError(path)?.code == .damaged, "page \(page)")
            try expectUntouched(bytes)
        }
    }

    @Test func aPageThatBreaksLaterIsReportedWhenItIsMet() throws {
        _ = try makeDatabase(tunnels: 2000)
        let store = try TunnelStore(path: path)
        let root = try store.queue.read {
            try Int.fetchOne($0, sql: "SELECT rootpage FROM sqlite_master WHERE name = 'tunnel'")
        }
        try overwrite(page: try #require(root))
        // What the cache holds is still right.
        try store.execute("PRAGMA shrink_memory")
        let error = #expect(throws: StoreError.self) { try store.tunnels() }
        #expect(error?.code == .damaged)
        #expect(error?.path == path)
    }

    @Test func inALargeFileTheHistoryIsNotReadAtOpen() throws {
        for (table, found) in [("event", false), ("tunnel", true)] {
            try? FileManager.default.removeItem(atPath: path)
            _ = try makeDatabase {
                let tunnel = try tunnel(1)
                let event = Event(at: now, kind: .up, tunnel: tunnel)
                try $0.write { (transaction) throws(StoreError) in _ = try transaction.record(event) }
            }
            let queue = try DatabaseQueue(path: path)
            let root = try queue.read {
                try Int.fetchOne(
                    $0, sql: "SELECT rootpage FROM sqlite_master WHERE name = ?", arguments: [table])
            }
            try overwrite(page: try #require(root))
            #expect(openError(path)?.code == .damaged, "a small file is read as a whole")
            let check = { try queue.read { try Schema.inspect($0, path: path, largestFullCheck: 0) } }
            if found {
                #expect(throws: (any Error).self) { try check() }
            } else {
                try check()
            }
        }
    }

    // MARK: Unwritable

    @Test func aDirectoryThatCannotBeMadeIsNamed() throws {
        try Data().write(to: URL(filePath: directory.path + "/file"))
        for path in [directory.path + "/file/sub/tunneld.db", "/proc/tunneld/tunneld.db"] {
            let error = openError(path)
            #expect(error?.code == .unwritable)
            #expect(error?.path.hasPrefix(path) == true)
        }
    }

    @Test func aFileThatCannotBeMadeIsNamed() {
        let error = openError("/proc/tunneld.db")
        #expect(error?.code == .unwritable)
        #expect(error?.path == "/proc/tunneld.db")
    }

    @Test func aDirectoryInTheFilesPlaceIsRefused() throws {
        #expect(openError(directory.path)?.code == .unwritable)
    }

    // MARK: In use

    @Test func aSecondDaemonIsRefusedAndAVisitorIsNot() throws {
        let first = try TunnelStore(path: path)
        let error = openError(path)
        #expect(error?.code == .inUse)
        #expect(error?.message.contains(path + ".lock") == true)
        #expect(try TunnelStore(path: path, as: .visitor).tunnels().isEmpty)
        try first.insert(try tunnel(1))
        #expect(try first.tunnels().count == 1)
    }

    @Test func theLockGoesWithItsDaemon() throws {
        do { _ = try TunnelStore(path: path) }
        _ = try TunnelStore(path: path)
    }

    @Test func aLinkLeadsToTheSameLock() throws {
        let link = directory.path + "/link"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: directory.path)
        let store = try TunnelStore(path: path)
        #expect(openError(link + "/tunneld.db")?.code == .inUse)
        withExtendedLifetime(store) {}

        let other = try TunnelStore(path: link + "/other.db")
        #expect(openError(directory.path + "/other.db")?.code == .inUse)
        withExtendedLifetime(other) {}
    }

    @Test func manyThatStartAtOnceMakeOneDatabase() async throws {
        let path = path
        try await withThrowingTaskGroup { group in
            for number in 1...6 {
                group.addTask {
                    let store = try TunnelStore(path: path, as: number == 1 ? .daemon : .visitor)
                    try store.insert(try tunnel(number))
                }
            }
            try await group.waitForAll()
        }
        #expect(try TunnelStore(path: path).tunnels().count == 6)
    }

    /// A later version's token command must not change the schema under an earlier daemon.
    @Test func aVisitorMigratesOnlyWhereNoDaemonRuns() throws {
        try Data().write(to: URL(filePath: path))
        do {
            let lock = try DaemonLock(databasePath: path)
            #expect(openError(path, as: .visitor)?.code == .inUse)
            withExtendedLifetime(lock) {}
        }
        _ = try TunnelStore(path: path, as: .visitor)
    }

    @Test func afterACheckpointTheFileAloneIsEverything() throws {
        let store = try TunnelStore(path: path)
        try store.insert(try fullTunnel(1))
        try store.checkpoint()
        let copy = try TemporaryDirectory()
        try FileManager.default.copyItem(atPath: path, toPath: copy.database)
        #expect(try TunnelStore(path: copy.database).tunnels() == [try fullTunnel(1)])
    }
}
