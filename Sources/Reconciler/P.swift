internal import Dispatch
public final class WriterQueue: SerialExecutor {
    let queue = DispatchQueue(label: "tunneld.writer")
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
    public func checkIsolated() { dispatchPrecondition(condition: .onQueue(queue)) }
}
public actor Reconciler {
    let writer = WriterQueue()
    public nonisolated var unownedExecutor: UnownedSerialExecutor { writer.asUnownedSerialExecutor() }
    var n = 0
    public nonisolated func go() { writer.queue.async { self.assumeIsolated { $0.n += 1; print("n", $0.n) } } }
    public init() {}
}
