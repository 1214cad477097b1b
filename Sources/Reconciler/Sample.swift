public import Tunnels

/// The counters of all tunnels at one moment.
public final class Sample: Sendable {
    /// 1, 2, 3… since the daemon's start.
    public let number: UInt64
    public let sampledAt: Timestamp
    /// From the sample this one is compared with; 0 for the first.
    public let intervalSeconds: Double
    /// What taking it took.
    public let durationSeconds: Double
    /// By name; tunnels without a link are left out.
    public let entries: Entries
    /// The totals of tunnels without a link, among others.
    private let parked: [TunnelID: Account]

    init(
        number: UInt64, sampledAt: Timestamp, intervalSeconds: Double, durationSeconds: Double, entries: Entries,
        parked: [TunnelID: Account] = [:]
    ) {
        self.number = number
        self.sampledAt = sampledAt
        self.durationSeconds = durationSeconds
        self.intervalSeconds = intervalSeconds
        self.entries = entries
        self.parked = parked
    }

    public func entry(of tunnel: Tunnel) -> Entry? {
        entries.reading.roster.position(of: tunnel).map { entries[$0] }
    }

    /// What went through the tunnel since it was defined, also where it has no link now.
    public func totals(of tunnel: Tunnel) -> LinkCounters {
        entry(of: tunnel)?.totals ?? parked[tunnel.id]?.total ?? LinkCounters()
    }

    /// One tunnel's counters, and what can be told from them. Each is put together when it is read.
    public struct Entry: Sendable {
        fileprivate let entries: Entries
        fileprivate let position: Int

        public var view: TunnelView { entries.reading.roster.views[position] }

        /// Of its link, since that was made.
        public var counters: LinkCounters { entries.reading.counters[position] }

        /// What the errors and drops were, where the data plane can tell.
        public var reasons: [DropReason: UInt64] {
            entries.joined.reasons[entries.reading.roster.ifindexes[position]] ?? [:]
        }

        /// What the counters grew by in the interval; nil where there is nothing to compare with: in the first
        /// sample, and when the link was made anew in between.
        public var growth: LinkCounters? {
            guard let base = entries.joined.base, let former = base.positionOfLink(position) else { return nil }
            return counters.growth(since: base.former.counters[former])
        }

        /// What the totals grew by in about the last minute, whatever became of the link meanwhile, and in how many
        /// seconds; nil where there is nothing to compare with.
        public var minute: (growth: LinkCounters, seconds: Double)? {
            for comparison in entries.joined.minute {
                guard let former = comparison.position(position) else { continue }
                guard let growth = totals.growth(since: comparison.former.total(at: former)) else { return nil }
                return (growth, comparison.seconds)
            }
            return nil
        }

        /// Since the tunnel was defined, over all its links.
        public var totals: LinkCounters { entries.reading.total(at: position) }
    }

    /// Counters joined with the tunnels they belong to.
    public struct Entries: RandomAccessCollection, Sendable {
        /// What all entries share.
        fileprivate final class Joined: Sendable {
            let reading: Reading
            let reasons: [Int32: [DropReason: UInt64]]
            /// nil for the first sample.
            let base: Comparison?
            /// The one furthest back first.
            let minute: [Comparison]

            init(
                _ reading: Reading, _ reasons: [Int32: [DropReason: UInt64]], base: Comparison?, minute: [Comparison]
            ) {
                self.reading = reading
                self.reasons = reasons
                self.base = base
                self.minute = minute
            }
        }

        fileprivate let joined: Joined

        var reading: Reading { joined.reading }

        /// - Parameters:
        ///   - base: what the growth is counted from.
        ///   - minute: what that of the minute is counted from, the one furthest back first: where a tunnel isn't in
        ///     one, the next serves.
        init(_ reading: Reading, reasons: [Int32: [DropReason: UInt64]], since base: Reading?, minute: [Reading]) {
            joined = Joined(
                reading, reasons, base: base.map { Comparison(of: reading, with: $0) },
                minute: minute.map { Comparison(of: reading, with: $0) })
        }

        public var startIndex: Int { 0 }
        public var endIndex: Int { reading.counters.count }

        public subscript(position: Int) -> Entry {
            precondition(indices.contains(position), "no entry at \(position)")
            return Entry(entries: self, position: position)
        }
    }
}
