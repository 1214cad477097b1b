import ModelHost
import Testing
import Tunnels

@Suite struct CounterTableTests {
    private func counters(_ packets: UInt64) -> LinkCounters {
        var counters = LinkCounters()
        counters.rx.packets = packets
        return counters
    }

    /// Those that the kernel gives, ours, some of both, and some as far apart as they can be.
    @Test(arguments: [0, 3, 10_000])
    func aLinkIsFoundByItsIfindex(capacity: Int) {
        let ranges: [ClosedRange<Int32>] = [1...1500, 1 << 20...1 << 20 + 3000, Int32.max - 50...Int32.max]
        var table = CounterTable(capacity: capacity)
        for ifindex in ranges.joined() { table.append(counters(UInt64(ifindex)), of: ifindex) }
        #expect(table.count == 1500 + 3001 + 51)
        let wanted = ranges.joined().reversed()
        #expect(
            table.positions(of: Array(wanted)).map { $0.map { table.counters[$0] } }
                == wanted.map { counters(UInt64($0)) })
        #expect(table.positions(of: [0, 1501, 1 << 20 - 1, 1 << 20 + 3001, -1, .min]).allSatisfy { $0 == nil })
    }

    @Test func ofTwoWithOneIfindexTheFirstIsFound() {
        var table = CounterTable()
        #expect(table.positions(of: [7]) == [nil])
        table.append(counters(1), of: 7)
        table.append(counters(2), of: 7)
        #expect(table.positions(of: [7, 7]) == [0, 0])
    }
}
