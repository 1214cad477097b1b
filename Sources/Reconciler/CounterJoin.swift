internal import Tunnels

/// Brings the counters of links into the order of the tunnels.
///
/// Tables tell of the same links in the same order for as long as none comes or goes: where a tunnel's counters are is
/// found once, and then only made sure of.
struct CounterJoin: Sendable {
    private var roster: Roster?
    /// Of each tunnel in it.
    private var positions: [Int] = []

    /// The counters of each tunnel. A link that is gone leaves its tunnel out until the next look notices.
    mutating func counters(in table: CounterTable, of known: Roster) -> (roster: Roster, counters: [LinkCounters]) {
        if known === roster, isOrdered(table, of: known) { return (known, positions.map { table.counters[$0] }) }
        let found = table.positions(of: known.ifindexes)
        positions = found.compactMap(\.self)
        roster = positions.count == found.count ? known : nil
        return (
            roster ?? known.filtered { found[$0] != nil },
            positions.map { table.counters[$0] }
        )
    }

    private func isOrdered(_ table: CounterTable, of roster: Roster) -> Bool {
        zip(positions, roster.ifindexes).allSatisfy { $0 < table.count && table.ifindexes[$0] == $1 }
    }
}
