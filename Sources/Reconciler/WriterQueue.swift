internal import Dispatch

/// The one thread of writes: a serial queue as the reconciler's executor, so that SQLite and netlink calls, which
/// block, never hold a thread of Swift's own pool.
final class WriterQueue: SerialExecutor {
    private let queue = DispatchQueue(label: "tunneld.writer")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    /// Runs `work` on the queue, in order with everything else there.
    func async(_ work: @escaping @Sendable () -> Void) {
        queue.async(execute: work)
    }

    func checkIsolated() {
        dispatchPrecondition(condition: .onQueue(queue))
    }
}
