internal import GRDB

/// The claim of the one daemon that serves a database; given up with the object, and by the kernel when the
/// process ends, however it ends.
///
/// It is SQLite's own exclusive lock (`fcntl(2)`), held on an empty database beside the real one: there it
/// doesn't keep `tunneld token` from reading and writing.
final class DaemonLock: Sendable {
    private let queue: DatabaseQueue

    /// - Throws: `.inUse` where another connection has it.
    init(databasePath: String) throws(StoreError) {
        let path = databasePath + ".lock"
        try DatabaseFile.create(path)
        var configuration = Configuration()
        configuration.label = "tunneld.lock"
        // The lock is a transaction that never ends.
        configuration.allowsUnsafeTransactions = true
        // A visitor that migrates has the lock for a moment.
        configuration.busyMode = .timeout(0.5)
        do {
            queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.writeWithoutTransaction { database in
                // In memory: else a journal would stay beside the lock when the process is killed.
                try database.execute(sql: "PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE")
            }
        } catch DatabaseError.SQLITE_BUSY {
            throw StoreError(.inUse, path: databasePath, message: "another tunneld has it open (\(path))")
        } catch {
            throw StoreError(error, path: path)
        }
    }
}
