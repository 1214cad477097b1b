internal import Dispatch
internal import Synchronization

/// A write that waits, and whom to tell.
struct PendingWrite: Sendable {
    let write: Write
    let completion: @Sendable (Result<WriteOutcome, WriteRefusal>) -> Void
}

/// The writes that wait for the writer.
final class Inbox: Sendable {
    private struct State {
        var waiting: [PendingWrite] = []
        var isScheduled = false
        var isClosed = false
        /// Whether the writer waits for more.
        var isAwaited = false
    }

    /// How many writes may wait: a bound on what clients can make the daemon hold.
    private static let capacity = 4096

    private let state = Mutex(State())
    /// Raised by each arrival while the writer waits for company.
    private let arrivals = DispatchSemaphore(value: 0)

    /// Adds a write.
    ///
    /// - Returns: whether the writer must be woken.
    func add(_ pending: PendingWrite) throws(WriteRefusal) -> Bool {
        let result: Result<Bool, WriteRefusal> = state.withLock { state in
            if state.isClosed { return .failure(.stopping) }
            if state.waiting.count >= Self.capacity { return .failure(.overloaded) }
            state.waiting.append(pending)
            defer { state.isScheduled = true }
            if state.isAwaited { arrivals.signal() }
            return .success(!state.isScheduled)
        }
        return try result.get()
    }

    /// Waits until `count` writes are there, as long as they keep coming: no longer than `pause` for each. Blocks.
    func wait(for count: Int, pause: Duration) {
        var missing = state.withLock { state in
            state.isAwaited = true
            return count - state.waiting.count
        }
        let pause = DispatchTimeInterval.nanoseconds(Int(pause.seconds * 1e9))
        while missing > 0, arrivals.wait(timeout: .now() + pause) == .success { missing -= 1 }
        state.withLock { $0.isAwaited = false }
        // An arrival between the last wait and now.
        while arrivals.wait(timeout: .now()) == .success {}
    }

    /// Takes all that wait. The writer must come again until this is empty.
    func takeAll() -> [PendingWrite] {
        state.withLock { state in
            defer { state.waiting = [] }
            if state.waiting.isEmpty { state.isScheduled = false }
            return state.waiting
        }
    }

    /// Puts back, in front, what shall go into a later batch.
    func putBack(_ pending: some Collection<PendingWrite>) {
        state.withLock { $0.waiting.insert(contentsOf: pending, at: 0) }
    }

    /// Refuses all further writes.
    func close() {
        state.withLock { $0.isClosed = true }
    }
}
