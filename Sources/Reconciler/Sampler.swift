internal import Synchronization
public import Tunnels

/// Reads the counters of all tunnels once for all readers: a sample serves everybody until it is an interval old.
public final class Sampler: Sendable {
    private struct State {
        var newest: (sample: Sample, takenAt: Duration)?
        /// What rates are computed against: at least an interval old, and less than two while samples are taken
        /// all the time.
        var base: (sample: Sample, takenAt: Duration)?
        /// The base when it is an interval old.
        var next: (sample: Sample, takenAt: Duration)?
        /// The tunnels as they were at that version of the directory.
        var roster: (roster: Roster, version: Int)?
    }

    private let source: any CounterSource
    private let directory: Directory
    private let interval: Duration
    private let timing: Timing
    private let state = Mutex(State())
    /// Held while the kernel is read, so that readers who find the sample too old take one together.
    private let reading = Mutex(())

    public init(
        source: any CounterSource, directory: Directory, interval: Duration = .seconds(1),
        timing: Timing = .system
    ) {
        self.source = source
        self.directory = directory
        self.interval = interval
        self.timing = timing
    }

    /// The newest sample, or a new one if that is older than the interval, or if `isFresh` asks for counters as
    /// they are now.
    public func sample(isFresh: Bool = false) throws(TunnelProblem) -> Sample {
        let askedAt = timing.uptime()
        if !isFresh, let sample = newest(takenAfter: askedAt - interval) { return sample }
        let result: Result<Sample, TunnelProblem> = reading.withLock { _ in
            // Another reader may have taken it while this one waited.
            if let sample = newest(takenAfter: isFresh ? askedAt : askedAt - interval) {
                return .success(sample)
            }
            return Result { () throws(TunnelProblem) in try take() }
        }
        return try result.get()
    }

    private func newest(takenAfter time: Duration) -> Sample? {
        state.withLock { state in
            guard let newest = state.newest, newest.takenAt > time else { return nil }
            return newest.sample
        }
    }

    private func take() throws(TunnelProblem) -> Sample {
        let (sampledAt, takenAt) = (timing.now(), timing.uptime())
        let roster = roster()
        let table = try source.counters()
        return state.withLock { state in
            if let next = state.next, takenAt - next.takenAt >= interval {
                (state.base, state.next) = (next, nil)
            }
            let base = state.base ?? state.next
            let entries = Sample.Entries(of: roster, in: table, since: base?.sample.entries)
            let sample = Sample(
                sampledAt: sampledAt,
                intervalSeconds: base.map { (takenAt - $0.takenAt).seconds } ?? 0,
                durationSeconds: (timing.uptime() - takenAt).seconds, entries: entries)
            state.newest = (sample, takenAt)
            if state.next == nil { state.next = state.newest }
            return sample
        }
    }

    /// The tunnels that have a link; the same object while no view changed.
    private func roster() -> Roster {
        let known = state.withLock { $0.roster }
        if let known, known.version == directory.version { return known.roster }
        let (views, version) = directory.versioned
        let roster = Roster(views)
        state.withLock { $0.roster = (roster, version) }
        return roster
    }
}

extension Duration {
    var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
