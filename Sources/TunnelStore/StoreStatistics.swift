internal import Glibc
internal import Synchronization
public import Tunnels

/// What a store did since it was opened, and how large it is, for metrics.
public struct StoreStatistics: Hashable, Sendable {
    /// Seconds that the commits of its transactions took, each with its wait for the disk.
    public var commits = Histogram.ofDurations
    /// Transactions that were taken back.
    public var rollbacks = 0
    /// Those among them for which there was no space left.
    public var withoutSpace = 0
    /// Bytes of the database's file and of the write-ahead log beside it; nil where there is none.
    public var databaseBytes: Int?
    public var logBytes: Int?
}

/// Counts a store's transactions.
final class StoreCounters: Sendable {
    private let counts = Mutex(StoreStatistics())

    func noteCommit(took duration: Duration) {
        counts.withLock { $0.commits.add(duration) }
    }

    /// - Parameter failure: of the database; nil where the caller took it back.
    func noteRollback(_ failure: StoreError?) {
        counts.withLock { counts in
            counts.rollbacks += 1
            if failure?.code == .full { counts.withoutSpace += 1 }
        }
    }

    func statistics(ofDatabaseAt path: String) -> StoreStatistics {
        var statistics = counts.withLock { $0 }
        statistics.databaseBytes = Self.bytes(ofFileAt: path)
        statistics.logBytes = Self.bytes(ofFileAt: path + "-wal")
        return statistics
    }

    private static func bytes(ofFileAt path: String) -> Int? {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : nil
    }
}
