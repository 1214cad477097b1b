internal import Synchronization
internal import Tunnels

/// The counters of all tunnels at one moment, as samples share and keep them.
final class Reading: Sendable {
    let roster: Roster
    /// Of each tunnel in the roster: what its link counted since it was made.
    let counters: [LinkCounters]
    /// Of each tunnel: what is to be added to that for the tunnel's total; wraps around.
    let offsets: [LinkCounters]
    /// By the clock of ``Timing/uptime``.
    let takenAt: Duration

    init(roster: Roster, counters: [LinkCounters], offsets: [LinkCounters], takenAt: Duration) {
        self.roster = roster
        self.counters = counters
        self.offsets = offsets
        self.takenAt = takenAt
    }

    func total(at position: Int) -> LinkCounters { counters[position] &+ offsets[position] }
}

/// A reading to compare another one with. Where each tunnel is in it is found out when somebody asks.
final class Comparison: Sendable {
    let former: Reading
    /// From the former one to the later.
    let seconds: Double
    private let roster: Roster
    private let positions = Mutex<[Int]?>(nil)

    init(of later: Reading, with former: Reading) {
        roster = later.roster
        self.former = former
        seconds = (later.takenAt - former.takenAt).seconds
    }

    /// Where the tunnel at a position of the later roster is in the former one; nil where it isn't.
    func position(_ position: Int) -> Int? {
        guard roster !== former.roster else { return position }
        let found = positions.withLock { positions in
            let known = positions ?? roster.positions(in: former.roster)
            positions = known
            return known[position]
        }
        return found == Roster.nowhere ? nil : found
    }

    /// The same, where it had the link that it has now.
    func positionOfLink(_ position: Int) -> Int? {
        guard let found = self.position(position) else { return nil }
        return roster.hasSameLink(at: position, as: former.roster, at: found) ? found : nil
    }
}
