internal import Dispatch
internal import Synchronization
internal import Tunnels

/// When samples are taken by themselves: each interval while somebody looks, seldom else.
final class SampleTicker: Sendable {
    private struct State {
        var isRunning = false
        /// When the next tick is due.
        var due = Duration.zero
        /// How many were set; only the last is the one that comes.
        var set = 0
        var lastAsked: Duration?
        /// Who is shown all samples.
        var onlookers = 0
        var observers: [@Sendable (Sample) -> Void] = []
        /// Of the sample that they were last given.
        var lastNumber: UInt64 = 0
        /// Takes a sample, or gives the one that was taken after that time.
        var take: (@Sendable (_ after: Duration) -> Sample?)?
    }

    /// While nobody looks.
    private static let seldom = Duration.seconds(10)
    /// How long one who asked counts as looking.
    private static let attention = Duration.seconds(30)

    let queue = DispatchQueue(label: "samples")
    private let interval: Duration
    private let timing: Timing
    private let state = Mutex(State())

    init(interval: Duration, timing: Timing) {
        self.interval = interval
        self.timing = timing
    }

    func observe(_ body: @escaping @Sendable (Sample) -> Void) {
        state.withLock { $0.observers.append(body) }
    }

    func run(_ take: @escaping @Sendable (_ after: Duration) -> Sample?) {
        state.withLock { state in
            guard !state.isRunning else { return }
            state.isRunning = true
            state.take = take
            set(&state, due: timing.uptime())
        }
    }

    func stop() {
        state.withLock { state in
            state.isRunning = false
            state.take = nil
        }
    }

    /// - Returns: whether samples come each interval.
    func noteAsked(at time: Duration) -> Bool {
        state.withLock { state in
            state.lastAsked = time
            hasten(&state, time)
            return state.isRunning
        }
    }

    /// - Parameter count: of those who come, or less than zero for those who leave.
    func addOnlookers(_ count: Int) {
        let now = timing.uptime()
        state.withLock { state in
            state.onlookers += count
            if count > 0 { hasten(&state, now) }
        }
    }

    /// Somebody looks: the next tick is due within an interval.
    private func hasten(_ state: inout State, _ now: Duration) {
        if state.isRunning, state.due > now + interval { set(&state, due: now + interval) }
    }

    private func set(_ state: inout State, due: Duration) {
        state.due = due
        state.set += 1
        let number = state.set
        timing.after(max(due - timing.uptime(), .zero)) { [self] in
            queue.async { self.tick(number) }
        }
    }

    private func tick(_ number: Int) {
        let now = timing.uptime()
        let take = state.withLock { state -> (@Sendable (Duration) -> Sample?)? in
            guard state.isRunning, number == state.set else { return nil }
            let isWatched = state.onlookers > 0 || state.lastAsked.map { now - $0 < Self.attention } ?? false
            let period = isWatched ? interval : Self.seldom
            // From when it was due, so that ticks don't drift; but none is made up for.
            let due = state.due + period
            set(&state, due: due > now ? due : now + period)
            return state.take
        }
        // One that somebody has just asked for serves as well.
        guard let sample = take?(now - interval / 2) else { return }
        let observers = state.withLock { state in
            defer { state.lastNumber = sample.number }
            return sample.number > state.lastNumber ? state.observers : []
        }
        for observer in observers { observer(sample) }
    }
}

extension Sampler {
    /// Has samples taken from now on without anybody asking: each interval while somebody has asked within 30 s or
    /// looks on, else each 10 s.
    public func run() {
        ticker.run { [weak self] time in
            // One that can't be taken leaves a gap; who asks for one is told why.
            try? self?.sample(takenAfter: time)
        }
    }

    public func stop() { ticker.stop() }

    /// Has `body` called with each sample that `run` takes, in order, on a queue of the sampler's. It must return
    /// quickly.
    public func onSample(_ body: @escaping @Sendable (Sample) -> Void) { ticker.observe(body) }

    /// Somebody is shown all samples from now on.
    public func beginLooking() { ticker.addOnlookers(1) }

    public func endLooking() { ticker.addOnlookers(-1) }
}
