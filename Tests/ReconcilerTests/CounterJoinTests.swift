import ModelHost
import Testing
import Tunnels

@testable import Reconciler

@Suite struct CounterJoinTests {
    /// Each link's counters tell which link it is.
    private func table(_ ifindexes: [Int32], times: UInt64 = 1) -> CounterTable {
        var table = CounterTable()
        for ifindex in ifindexes {
            var counters = LinkCounters()
            counters.rx.packets = UInt64(ifindex) * times
            table.append(counters, of: ifindex)
        }
        return table
    }

    private func roster(_ ifindexes: [Int32?]) throws -> Roster {
        var ids = SeededGenerator(seed: 1)
        let now = ManualTime.start
        return Roster(
            try ifindexes.enumerated().map { position, ifindex in
                let tunnel = Tunnel(
                    id: TunnelID(at: now, using: &ids), definition: try definition(100 + position), revision: 1,
                    createdAt: now, updatedAt: now)
                return TunnelView(
                    tunnel: tunnel, status: TunnelStatus(state: .up, dataPlane: .kernel, ifindex: ifindex))
            })
    }

    /// Whatever comes, goes or changes its place between two readings, each tunnel gets its own link's counters.
    @Test func theOrderMayChangeAtAnyTime() throws {
        let known = try roster([11, 12, nil, 13])
        var join = CounterJoin()
        let orders: [[Int32]] = [
            [11, 12, 13], [11, 12, 13], [1, 13, 12, 2, 11], [1, 13, 12, 2, 11], [13, 12, 11, 99], [11, 12, 13],
        ]
        for (position, order) in orders.enumerated() {
            let times = UInt64(position + 1)
            let (roster, counters) = join.counters(in: table(order, times: times), of: known)
            #expect(roster === known)
            #expect(counters.map(\.rx.packets) == [11, 12, 13].map { $0 * times })
        }
    }

    @Test func aLinkThatIsGoneLeavesItsTunnelOutUntilItIsBack() throws {
        let known = try roster([11, 12, 13])
        var join = CounterJoin()
        for (order, found) in [
            ([11, 12, 13], [11, 12, 13]), ([11, 13], [11, 13]), ([11, 13], [11, 13]), ([], []),
            ([13, 12, 11], [11, 12, 13]), ([1, 2, 12], [12]),
        ] as [([Int32], [Int32])] {
            let (roster, counters) = join.counters(in: table(order), of: known)
            #expect(roster.ifindexes == found)
            #expect(counters.map { Int32($0.rx.packets) } == found)
        }
    }

    @Test func anotherRosterIsAnotherOrder() throws {
        var join = CounterJoin()
        let links = table([11, 12, 13])
        for order in [[11, 12, 13], [13, 11], [12], []] as [[Int32]] {
            #expect(join.counters(in: links, of: try roster(order)).counters.map { Int32($0.rx.packets) } == order)
        }
    }
}
