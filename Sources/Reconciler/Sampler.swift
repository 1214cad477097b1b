internal import Synchronization
public import Tunnels

/// Reads the counters of all tunnels once for all readers: a sample serves everybody until it is an interval old.
///
/// Taking a sample does nothing for each tunnel but to copy and compare its counters; what is told of them is put
/// together when it is read.
public final class Sampler: Sendable {
    private struct State {
        var newest: (sample: Sample, takenAt: Duration)?
        /// What rates are computed against: about an interval old, and less than two while samples are taken all the
        /// time.
        var base: Reading?
        /// The base when it is an interval old.
        var next: Reading?
        var marks = MinuteMarks()
        var accounts = Accounts()
        /// What is stored of the totals is as it was then.
        var saved: Reading?
        /// The tunnels as they were at that version of the directory.
        var roster: (roster: Roster, version: Int)?
        var durations = Histogram.ofDurations
    }

    let interval: Duration
    let timing: Timing
    let ticker: SampleTicker
    /// Where links are: the host's boot and network namespace. A number of another place is another link.
    let place: String
    private let source: any CounterSource
    private let directory: Directory
    private let state = Mutex(State())
    /// Held while the kernel is read, so that readers who find the sample too old take one together.
    private let reading = Mutex(CounterJoin())

    /// Timers come a little early or late.
    private static let tolerance = Duration.milliseconds(50)

    public init(
        source: any CounterSource, directory: Directory, interval: Duration = .seconds(1),
        place: String = "", timing: Timing = .system
    ) {
        self.place = place
        self.source = source
        self.directory = directory
        self.interval = interval
        self.timing = timing
        ticker = SampleTicker(interval: interval, timing: timing)
    }

    /// Seconds that samples took.
    public var durations: Histogram { state.withLock { $0.durations } }

    /// The newest sample, or a new one if that is older than the interval, or if `isFresh` asks for counters as
    /// they are now.
    public func sample(isFresh: Bool = false) throws(TunnelProblem) -> Sample {
        let askedAt = timing.uptime()
        // A tick that is a little late is waited for, instead of taking a sample just before it.
        let isTicking = ticker.noteAsked(at: askedAt)
        return try sample(takenAfter: isFresh ? askedAt : askedAt - (isTicking ? interval * 3 / 2 : interval))
    }

    /// The newest sample, if it was taken after that time, or a new one.
    func sample(takenAfter time: Duration) throws(TunnelProblem) -> Sample {
        if let sample = newest(takenAfter: time) { return sample }
        let result: Result<Sample, TunnelProblem> = reading.withLock { join in
            // Another reader may have taken it while this one waited.
            if let sample = newest(takenAfter: time) { return .success(sample) }
            return Result { () throws(TunnelProblem) in try take(&join) }
        }
        return try result.get()
    }

    private func newest(takenAfter time: Duration) -> Sample? {
        state.withLock { state in
            guard let newest = state.newest, newest.takenAt > time else { return nil }
            return newest.sample
        }
    }

    private func take(_ join: inout CounterJoin) throws(TunnelProblem) -> Sample {
        let (sampledAt, takenAt) = (timing.now(), timing.uptime())
        let known = roster()
        let table = try source.counters()
        let (roster, counters) = join.counters(in: table, of: known)
        return state.withLock { state in
            let reading = state.accounts.take(counters, of: roster, at: takenAt, isOurMaking: source.isOurMaking)
            if let next = state.next, takenAt - next.takenAt >= interval - Self.tolerance {
                (state.base, state.next) = (next, nil)
            }
            let base = state.base ?? state.next
            let entries = Sample.Entries(
                reading, reasons: table.reasons, since: base, minute: state.marks.before(takenAt))
            let sample = Sample(
                number: (state.newest?.sample.number ?? 0) + 1, sampledAt: sampledAt,
                intervalSeconds: base.map { (takenAt - $0.takenAt).seconds } ?? 0,
                durationSeconds: (timing.uptime() - takenAt).seconds, entries: entries,
                parked: state.accounts.parked)
            state.newest = (sample, takenAt)
            state.durations.add(sample.durationSeconds)
            if state.next == nil { state.next = reading }
            state.marks.add(reading)
            return sample
        }
    }

    func withAccounts<Value>(
        _ body: (_ accounts: inout Accounts, _ saved: inout Reading?) -> Value
    ) -> Value where Value: Sendable {
        state.withLock { body(&$0.accounts, &$0.saved) }
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

/// Some former readings, about one each ten seconds, to tell what the last minute brought.
struct MinuteMarks: Sendable {
    private static let length = Duration.seconds(60)
    private static let distance = Duration.seconds(10)
    /// Timers come a little early or late.
    private static let tolerance = Duration.milliseconds(500)

    /// The oldest first.
    private var readings: [Reading] = []

    /// Those that a reading of that time may be compared with, the oldest first. The first is about a minute old, where
    /// there is one so old; one from before a pause is of no use.
    mutating func before(_ time: Duration) -> [Reading] {
        while readings.count > 1, time - readings[1].takenAt >= Self.length - Self.tolerance { readings.removeFirst() }
        readings.removeAll { time - $0.takenAt > Self.length + Self.distance * 2 }
        return readings
    }

    mutating func add(_ reading: Reading) {
        if let last = readings.last, reading.takenAt - last.takenAt < Self.distance - Self.tolerance { return }
        readings.append(reading)
    }
}

extension Duration {
    var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
