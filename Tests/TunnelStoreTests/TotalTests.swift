import Testing
import Tunnels

@testable import TunnelStore

@Suite struct TotalTests {
    private func counters(_ first: UInt64) -> LinkCounters {
        var counters = LinkCounters()
        (counters.rx.bytes, counters.rx.packets, counters.rx.errors, counters.rx.dropped) = (
            first, first + 1, first + 2, first + 3
        )
        (counters.tx.bytes, counters.tx.packets, counters.tx.errors, counters.tx.dropped) = (
            first + 4, first + 5, first + 6, first + 7
        )
        counters.carrierErrors = first + 8
        return counters
    }

    private func total(_ number: Int, _ first: UInt64, hasLink: Bool = true) throws -> TunnelTotal {
        let link = TunnelTotal.Link(ifindex: 1_048_576, epoch: 3, place: "boot net:[1]")
        return TunnelTotal(
            tunnel: try id(number), total: counters(first), link: hasLink ? link : nil, counted: counters(first / 2))
    }

    @Test func whatIsStoredIsRead() throws {
        let store = try TunnelStore.inMemory()
        let all = [try total(1, 100), try total(2, .max - 8), try total(3, 7, hasLink: false)]
        try store.store(all)
        #expect(try store.allTotals().sorted { $0.tunnel < $1.tunnel } == all)
    }

    @Test func theNewestReplacesItsFormer() throws {
        let store = try TunnelStore.inMemory()
        try store.store([try total(1, 1), try total(2, 2)])
        try store.store([try total(1, 50)], forgetting: [try id(2), try id(9)])
        #expect(try store.allTotals() == [try total(1, 50)])
    }

    @Test func oneThatCannotBeStoredLeavesTheFormer() throws {
        let store = try TunnelStore.inMemory()
        try store.store([try total(1, 1)])
        var wrong = try total(2, 2)
        wrong.link?.ifindex = 0
        #expect(throws: StoreError.self) { try store.store([total(1, 5), wrong]) }
        #expect(try store.allTotals() == [try total(1, 1)])
    }

    /// A set that changes tunnels' places deletes and inserts them again.
    @Test func itOutlivesItsRow() throws {
        let store = try TunnelStore.inMemory()
        try store.insert(try tunnel(1))
        try store.store([try total(1, 1)])
        try store.write { (transaction) throws in try transaction.delete(try id(1)) }
        #expect(try store.allTotals() == [try total(1, 1)])
    }
}

extension TunnelStore {
    fileprivate func allTotals() throws(StoreError) -> [TunnelTotal] {
        var totals: [TunnelTotal] = []
        try forEachTotal { totals.append($0) }
        return totals
    }
}
