internal import Dispatch
internal import Foundation
internal import Glibc
internal import Synchronization

/// The reconciler's executor: does one piece of work after another, on a thread of its own, because SQLite and netlink
/// calls block and so must not hold a thread of Swift's own pool. A thread and not a dispatch queue, which would start
/// several and wake one of them for each piece of work.
///
/// Whoever may block can do a piece of work himself while nothing else is done or waits (`runHere`). That spares a lone
/// client two hand-overs between threads, which on a small host take as long as the write.
final class Writer: SerialExecutor {
    private typealias Work = @Sendable () -> Void

    /// What the thread and those who give it work share; the thread holds no more, so that it can end.
    private final class Inbox: Sendable {
        private struct State {
            var waiting: [Work] = []
            /// The thread that works now. Another's wakes ours when it ends and work waits.
            var runner: pthread_t?
            var isEnded = false
        }

        private let state = Mutex(State())
        private let signal = DispatchSemaphore(value: 0)

        var isRunningHere: Bool { state.withLock { $0.runner == pthread_self() } }

        func add(_ work: @escaping Work) {
            // Whoever works looks again before the end, so only the first piece for nobody has to wake the thread.
            let mustWake = state.withLock { state in
                state.waiting.append(work)
                return state.runner == nil && state.waiting.count == 1
            }
            if mustWake { signal.signal() }
        }

        func end() {
            state.withLock { $0.isEnded = true }
            signal.signal()
        }

        func runUntilEnd() {
            while !state.withLock({ $0.isEnded }) {
                signal.wait()
                while let work = take() {
                    for item in work { item() }
                }
            }
        }

        /// All that waits; nil where nothing does or another thread works.
        private func take() -> [Work]? {
            state.withLock { state in
                guard state.runner == nil || state.runner == pthread_self() else { return nil }
                guard !state.waiting.isEmpty else {
                    state.runner = nil
                    return nil
                }
                state.runner = pthread_self()
                defer { state.waiting = [] }
                return state.waiting
            }
        }

        func runHere(_ work: Work) -> Bool {
            let isFree = state.withLock { state in
                guard state.runner == nil, state.waiting.isEmpty else { return false }
                state.runner = pthread_self()
                return true
            }
            guard isFree else { return false }
            work()
            let mustWake = state.withLock { state in
                state.runner = nil
                return !state.waiting.isEmpty
            }
            if mustWake { signal.signal() }
            return true
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

    deinit { inbox.end() }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        inbox.add { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    /// Does `work` on the thread, in order with everything else.
    func async(_ work: @escaping @Sendable () -> Void) {
        inbox.add(work)
    }

    /// Does `work` on the calling thread before it returns.
    ///
    /// - Returns: false when it wasn't done, because other work is being done or waits.
    func runHere(_ work: @Sendable () -> Void) -> Bool {
        inbox.runHere(work)
    }

    func checkIsolated() {
        precondition(inbox.isRunningHere, "not the writer's work")
    }
}
