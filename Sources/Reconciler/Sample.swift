public import Tunnels

/// The counters of all tunnels at one moment.
public final class Sample: Sendable {
    public struct Entry: Sendable {
        public let view: TunnelView
        public let counters: LinkCounters
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
    public let entries: [Entry]

    init(sampledAt: Timestamp, intervalSeconds: Double, durationSeconds: Double, entries: [Entry]) {
        self.sampledAt = sampledAt
        self.durationSeconds = durationSeconds
        self.intervalSeconds = intervalSeconds
        self.entries = entries
    }

    public func entry(of tunnel: Tunnel) -> Entry? {
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].view.tunnel.name < tunnel.name { low = middle + 1 } else { high = middle }
        }
        guard low < entries.count, entries[low].view.tunnel.id == tunnel.id else { return nil }
        return entries[low]
    }

    /// Joins counters with the tunnels they belong to, and compares them with a former sample's.
    ///
    /// - Parameter views: by name.
    static func entries(
        of views: [TunnelView], counters: [Int32: LinkCounters], since former: [Entry]
    ) -> [Entry] {
        var entries: [Entry] = []
        entries.reserveCapacity(views.count)
        var formerPosition = 0
        for view in views {
            guard let ifindex = view.status.ifindex, let counters = counters[ifindex] else { continue }
            let name = view.tunnel.name
            while formerPosition < former.count, former[formerPosition].view.tunnel.name < name {
                formerPosition += 1
            }
            var growth: LinkCounters?
            if formerPosition < former.count {
                let candidate = former[formerPosition]
                if candidate.view.tunnel.id == view.tunnel.id, candidate.view.status.ifindex == ifindex {
                    growth = counters.growth(since: candidate.counters)
                }
            }
            entries.append(Entry(view: view, counters: counters, growth: growth))
        }
        return entries
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
