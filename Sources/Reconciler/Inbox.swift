internal import Dispatch
internal import Synchronization

/// A write that waits, and whom to tell.
struct PendingWrite: Sendable {
    let write: Write
    let completion: @Sendable (Result<WriteOutcome, WriteRefusal>) -> Void
}

/// Work of the writer that shares no transaction with others: a change of several tunnels.
struct LoneWork: Sendable {
    /// Does it, and tells whoever waits.
    let run: @Sendable (isolated Reconciler) -> Void
    /// Tells that it won't be done.
    let refuse: @Sendable (WriteRefusal) -> Void

    init(
        _ run: @escaping @Sendable (isolated Reconciler) -> Void,
        refuse: @escaping @Sendable (WriteRefusal) -> Void
    ) {
        self.run = run
        self.refuse = refuse
    }
}

/// What waits for the writer's turn.
enum Pending: Sendable {
    case write(PendingWrite)
    case alone(LoneWork)

    func refuse(_ refusal: WriteRefusal) {
        switch self {
        case .write(let pending): pending.completion(.failure(refusal))
        case .alone(let work): work.refuse(refusal)
        }
    }
}

/// The writes that wait for the writer.
final class Inbox: Sendable {
    private struct State {
        var waiting: [Pending] = []
        var isScheduled = false
        var isClosed = false
        /// How many the writer waits for; nil when it doesn't, or was told that they are there.
        var awaited: Int?
    }

    /// How many writes may wait: a bound on what clients can make the daemon hold.
    private static let capacity = 4096

    private let state = Mutex(State())
    /// Raised when as many as the writer waits for are there.
    private let company = DispatchSemaphore(value: 0)

    /// Adds a write.
    ///
    /// - Returns: whether the writer must be woken.
    func add(_ pending: Pending) throws(WriteRefusal) -> Bool {
        let result: Result<Bool, WriteRefusal> = state.withLock { state in
            if state.isClosed { return .failure(.stopping) }
            if state.waiting.count >= Self.capacity { return .failure(.overloaded) }
            state.waiting.append(pending)
            defer { state.isScheduled = true }
            if state.waiting.count == state.awaited {
                state.awaited = nil
                company.signal()
            }
            return .success(!state.isScheduled)
        }
        return try result.get()
    }

    /// Waits until `count` writes are there, for as long as some come in each `pause`. Blocks. The writer sleeps
    /// through all arrivals but the last: to wake it for each would cost the clients more than its batch does.
    func wait(for count: Int, pause: Duration) {
        let pause = DispatchTimeInterval.nanoseconds(Int(pause.seconds * 1e9))
        var before = -1
        while let present = expect(count, moreThan: before) {
            if company.wait(timeout: .now() + pause) == .success { return }
            before = present
        }
        // They may have been completed between the last wait's end and now.
        if before >= 0 { _ = company.wait(timeout: .now()) }
    }

    /// - Returns: how many are there; nil where they are enough, or no more than `before`.
    private func expect(_ count: Int, moreThan before: Int) -> Int? {
        state.withLock { state in
            let present = state.waiting.count
            state.awaited = present < count && present > before ? count : nil
            return state.awaited == nil ? nil : present
        }
    }

    /// Takes all that wait. The writer asks `needsWriter` when it has done what it can of it.
    func takeAll() -> [Pending] {
        state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
    }

    /// Whether the writer must come again. Where it needn't, the next write wakes it.
    func needsWriter() -> Bool {
        state.withLock { state in
            state.isScheduled = !state.waiting.isEmpty
            return state.isScheduled
        }
    }

    /// Puts back, in front, what shall go into a later batch.
    func putBack(_ pending: some Collection<Pending>) {
        state.withLock { $0.waiting.insert(contentsOf: pending, at: 0) }
    }

    /// Refuses all further writes.
    func close() {
        state.withLock { $0.isClosed = true }
    }
}
