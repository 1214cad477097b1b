internal import GRDB
internal import Synchronization
public import Tunnels

/// Definitions, their history and the tokens, in one SQLite database.
///
/// One connection behind a queue, not a pool: one writer writes, tunnels are read at start alone, and each
/// further connection would cost a page cache.
public final class TunnelStore: Sendable {
    /// Who opens a database.
    public enum Role: Sendable {
        /// The one process that serves it: a second one is refused.
        case daemon
        /// A command that works on it for a moment, also while the daemon does.
        case visitor
    }

    /// Where the database is, absolute; `:memory:` for one without a file.
    public let path: String
    let queue: DatabaseQueue
    // After the queue, so that it is given up last.
    let lock: DaemonLock?
    private let latestChange = Atomic<Int64>(0)
    let feed = EventFeed()
    private let counters = StoreCounters()

    /// Opens the database, makes it where it's missing, and brings it to the present schema.
    ///
    /// - Throws: ``StoreError``; a file that is damaged, too new or not ours is left as it is.
    public init(path: String, as role: Role = .daemon) throws(StoreError) {
        self.path = DatabaseFile.resolve(path)
        try DatabaseFile.create(self.path)
        lock = role == .daemon ? try DaemonLock(databasePath: self.path) : nil
        queue = try Self.open(self.path)
        try prepare()
        latestChange.store(try readSetRevision(), ordering: .relaxed)
    }

    private init(queue: DatabaseQueue) {
        path = ":memory:"
        self.queue = queue
        lock = nil
    }

    /// A database of its own that goes with the object, for tests.
    public static func inMemory() throws(StoreError) -> TunnelStore {
        do {
            let queue = try DatabaseQueue(configuration: configuration)
            try Schema.migrator.migrate(queue)
            return TunnelStore(queue: queue)
        } catch {
            throw StoreError(error, path: ":memory:")
        }
    }

    /// Moves what the write-ahead log holds into the database and empties the log, so that the one file is
    /// everything: for a stop, and before a copy is made. Nothing is lost without it.
    public func checkpoint() throws(StoreError) {
        try access { _ = try $0.checkpoint(.truncate) }
    }

    /// All tunnels, by id: in the order they were created.
    public func tunnels() throws(StoreError) -> [Tunnel] {
        var tunnels: [Tunnel] = []
        try forEachTunnel { tunnels.append($0) }
        return tunnels
    }

    public func tunnelCount() throws(StoreError) -> Int {
        try access { try Int.fetchOne($0, sql: "SELECT count(*) FROM tunnel") ?? 0 }
    }

    /// Gives all tunnels one by one, by id.
    ///
    /// - Parameter body: mustn't use the store.
    public func forEachTunnel(_ body: (Tunnel) -> Void) throws(StoreError) {
        try read { try TunnelRows.forEach($0, body) }
    }

    /// The revision of the set of all tunnels: the id of the latest event that changed a definition, so that no page
    /// more is written for it. It never goes back.
    public var setRevision: Int64 { latestChange.load(ordering: .acquiring) }

    /// Changes with each commit of another connection or process, and never with those of this one
    /// (`PRAGMA data_version`): tells the daemon to read the tokens again.
    public func dataVersion() throws(StoreError) -> Int64 {
        try access { database in
            try Int64.fetchOne(database.cachedStatement(sql: "PRAGMA data_version")) ?? 0
        }
    }

    /// What it did since it was opened, and how large the files are. Doesn't wait for who writes.
    public var statistics: StoreStatistics { counters.statistics(ofDatabaseAt: path) }

    /// One transaction. It is rolled back when `body` throws, and stored durably when this returns. Other
    /// calls of the store wait meanwhile, and so do writes of other processes.
    ///
    /// - Parameter body: mustn't use the store but through the transaction.
    /// - Returns: what `body` returned.
    public func write<T, Failure: Error>(
        _ body: (inout Transaction) throws(Failure) -> T
    ) throws(WriteError<Failure>) -> T {
        let outcome: Result<T, WriteError<Failure>> = queue.writeWithoutTransaction { database in
            // Immediate: whoever begins has the lock, and can't fail for it at the first write.
            do { try database.cachedStatement(sql: "BEGIN IMMEDIATE").execute() } catch {
                return .failure(.store(StoreError(error, path: path)))
            }
            var transaction = Transaction(database, path: path)
            do throws(Failure) {
                let value = try body(&transaction)
                if let failure = commit(transaction, on: database) { return .failure(.store(failure)) }
                if let change = transaction.setRevision { latestChange.store(change, ordering: .releasing) }
                feed.deliver(transaction.recorded, database)
                return .success(value)
            } catch {
                try? database.rollback()
                counters.noteRollback(transaction.failure)
                return .failure(.body(error))
            }
        }
        return try outcome.get()
    }

    /// - Returns: why it was rolled back instead.
    private func commit(_ transaction: borrowing Transaction, on database: Database) -> StoreError? {
        do {
            if let failure = transaction.failure { throw failure }
            let began = ContinuousClock.now
            try database.cachedStatement(sql: "COMMIT").execute()
            counters.noteCommit(took: ContinuousClock.now - began)
            return nil
        } catch {
            // SQLite has done so itself after some errors; then this does nothing.
            try? database.rollback()
            let failure = StoreError(error, path: path)
            counters.noteRollback(failure)
            return failure
        }
    }
}

extension TunnelStore {
    /// Several reads that belong together.
    func read<T>(_ body: (Database) throws -> T) throws(StoreError) -> T {
        try run { try queue.read(body) }
    }

    /// Several statements that are stored all or not at all.
    func transaction<T>(_ body: (Database) throws -> T) throws(StoreError) -> T {
        try run { try queue.write(body) }
    }

    /// One statement, which is its own transaction.
    func access<T>(_ body: (Database) throws -> T) throws(StoreError) -> T {
        try run { try queue.writeWithoutTransaction(body) }
    }

    func run<T>(_ body: () throws -> T) throws(StoreError) -> T {
        do { return try body() } catch { throw StoreError(error, path: path) }
    }
}
