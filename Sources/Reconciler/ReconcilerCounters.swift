public import Synchronization

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
}

extension Atomic<Int> {
    func increment(by count: Int = 1) {
        wrappingAdd(count, ordering: .relaxed)
    }
}
