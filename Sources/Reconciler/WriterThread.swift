internal import Dispatch
internal import Foundation
internal import Synchronization

/// The one thread of writes, as the reconciler's executor: SQLite and netlink calls block, and so must not hold a
/// thread of Swift's own pool. A thread and not a dispatch queue, which would start several and wake one of them
/// for each piece of work.
final class WriterThread: SerialExecutor {
    private typealias Work = @Sendable () -> Void

    /// What the thread and those who give it work share; the thread holds no more, so that it can end.
    private final class Inbox: Sendable {
        let waiting = Mutex<[Work]>([])
        let signal = DispatchSemaphore(value: 0)
        let isEnded = Atomic(false)
        let thread = Mutex<ObjectIdentifier?>(nil)

        func add(_ work: @escaping Work) {
            // The thread takes all that is there, so only the first one has to wake it.
            let isFirst = waiting.withLock { waiting in
                waiting.append(work)
                return waiting.count == 1
            }
            if isFirst { signal.signal() }
        }

        func runUntilEnd() {
            thread.withLock { $0 = ObjectIdentifier(Thread.current) }
            while !isEnded.load(ordering: .acquiring) {
                signal.wait()
                let work = waiting.withLock { waiting in
                    defer { waiting = [] }
                    return waiting
                }
                for item in work { item() }
            }
        }
    }

    private let inbox: Inbox

    init() {
        let inbox = Inbox()
        let thread = Thread { inbox.runUntilEnd() }
        thread.name = "writer"
        thread.start()
        self.inbox = inbox
    }

    deinit {
        inbox.isEnded.store(true, ordering: .releasing)
        inbox.signal.signal()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        inbox.add { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    /// Runs `work` on the thread, in order with everything else there.
    func async(_ work: @escaping @Sendable () -> Void) {
        inbox.add(work)
    }

    func checkIsolated() {
        let thread = inbox.thread.withLock { $0 }
        precondition(thread == ObjectIdentifier(Thread.current), "not on the writer's thread")
    }
}
