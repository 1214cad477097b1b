public import Synchronization
public import Tunnels

/// What the reconciler did since the start, for metrics.
public final class ReconcilerCounters: Sendable {
    /// Looks at the whole kernel.
    public let looks = Atomic<Int>(0)
    /// Tunnels repaired after somebody else's change.
    public let repairs = Atomic<Int>(0)
    /// Differences found that others made.
    public let drifts = Atomic<Int>(0)
    /// Definitions that took over what others changed.
    public let adoptions = Atomic<Int>(0)
    /// Links removed that bore our mark and belonged to no tunnel.
    public let pruned = Atomic<Int>(0)
    /// Plans that the kernel refused.
    public let failures = Atomic<Int>(0)
    /// Writes answered with success, and batches that they shared.
    public let writes = Atomic<Int>(0)
    public let batches = Atomic<Int>(0)
    /// Writes refused.
    public let refusals = Atomic<Int>(0)
    /// What the start took: loading the tunnels, the first look, and what that had to change.
    public let startMicroseconds = Atomic<Int>(0)
    /// What the newest plan of a set took: comparing it with the tunnels there are.
    public let planMicroseconds = Atomic<Int>(0)

    private let times = Mutex(Times())

    private struct Times {
        var looks = Histogram.ofDurations
        var batches = Histogram.ofDurations
        var lastLook: Timestamp?
    }

    /// Seconds that looks took, with the repairs they made.
    public var lookDurations: Histogram { times.withLock { $0.looks } }
    /// Seconds that batches of writes took, from the first statement until all are published.
    public var batchDurations: Histogram { times.withLock { $0.batches } }
    /// When a look last ended that could read the kernel; nil if none did.
    public var lastLook: Timestamp? { times.withLock { $0.lastLook } }

    /// - Parameter time: when it ended; nil where it couldn't read the kernel.
    func noteLook(took duration: Duration, at time: Timestamp?) {
        times.withLock { times in
            times.looks.add(duration)
            if let time { times.lastLook = time }
        }
    }

    func noteBatch(took duration: Duration) {
        batches.increment()
        times.withLock { $0.batches.add(duration) }
    }
}

extension Atomic<Int> {
    func increment(by count: Int = 1) {
        wrappingAdd(count, ordering: .relaxed)
    }
}
