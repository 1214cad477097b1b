public import Tunnels

/// The counters of all tunnels at one moment.
public final class Sample: Sendable {
    public struct Entry: Sendable {
        public let view: TunnelView
        public let counters: LinkCounters
        /// What the errors and drops were, where the data plane can tell.
        public let reasons: [DropReason: UInt64]
        /// What the counters grew by in the interval; nil where there is nothing to compare with: in the first
        /// sample, and when the link was made anew in between.
        public let growth: LinkCounters?
    }

    public let sampledAt: Timestamp
    /// From the sample this one is compared with; 0 for the first.
    public let intervalSeconds: Double
    /// What taking it took.
    public let durationSeconds: Double
    /// By name; tunnels without a link are left out.
    public let entries: Entries

    init(sampledAt: Timestamp, intervalSeconds: Double, durationSeconds: Double, entries: Entries) {
        self.sampledAt = sampledAt
        self.durationSeconds = durationSeconds
        self.intervalSeconds = intervalSeconds
        self.entries = entries
    }

    public func entry(of tunnel: Tunnel) -> Entry? {
        entries.roster.position(of: tunnel).map { entries[$0] }
    }

    /// Counters joined with the tunnels they belong to. An entry is put together when it is read: most samples are
    /// read for a few of them, and what they grew by can be told from the counters alone.
    public struct Entries: RandomAccessCollection, Sendable {
        fileprivate let roster: Roster
        /// Of each tunnel in the roster.
        private let counters: [LinkCounters]
        private let reasons: [Int32: [DropReason: UInt64]]
        /// Those of the sample this one is compared with, in that one's order. Only they are kept of it.
        private let former: [LinkCounters]
        /// Where in `former` each tunnel is, nil where it isn't; nil for all where the order is the same.
        private let formerPositions: [Int?]?

        /// - Parameter base: the entries to compare with.
        init(of roster: Roster, in table: CounterTable, since base: Entries?) {
            var counters: [LinkCounters] = []
            counters.reserveCapacity(roster.ifindexes.count)
            for ifindex in roster.ifindexes {
                if let found = table[ifindex] { counters.append(found) }
            }
            // A link that is gone leaves its tunnel out until the next look notices.
            let roster = counters.count == roster.ifindexes.count ? roster : roster.filtered { table[$0] != nil }
            self.roster = roster
            self.counters = counters
            reasons = table.reasons
            former = base?.counters ?? []
            if let base {
                formerPositions = base.roster === roster ? nil : roster.positions(in: base.roster)
            } else {
                formerPositions = Array(repeating: nil, count: counters.count)
            }
        }

        public var startIndex: Int { 0 }
        public var endIndex: Int { counters.count }

        public subscript(position: Int) -> Entry {
            let formerPosition = formerPositions.map { $0[position] } ?? position
            return Entry(
                view: roster.views[position], counters: counters[position],
                reasons: reasons[roster.ifindexes[position]] ?? [:],
                growth: formerPosition.flatMap { counters[position].growth(since: former[$0]) })
        }
    }
}

extension LinkCounters {
    /// nil where a counter went back: the link began anew.
    func growth(since former: LinkCounters) -> LinkCounters? {
        guard let rx = rx.growth(since: former.rx), let tx = tx.growth(since: former.tx) else { return nil }
        var growth = LinkCounters()
        growth.rx = rx
        growth.tx = tx
        return growth
    }
}

extension LinkCounters.Direction {
    fileprivate func growth(since former: Self) -> Self? {
        guard bytes >= former.bytes, packets >= former.packets, errors >= former.errors, dropped >= former.dropped
        else { return nil }
        var growth = Self()
        growth.bytes = bytes - former.bytes
        growth.packets = packets - former.packets
        growth.errors = errors - former.errors
        growth.dropped = dropped - former.dropped
        return growth
    }
}
