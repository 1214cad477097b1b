import Foundation
import Testing
import Tunnels

@testable import TunnelStore

@Suite struct DriftLedgerTests {
    private let store: TunnelStore
    private let tunnels: [TunnelID]

    init() throws {
        store = try TunnelStore.inMemory()
        var generator = SystemRandomNumberGenerator()
        tunnels = (0..<2).map { TunnelID(at: Timestamp(milliseconds: $0), using: &generator) }
    }

    private func record(_ number: Int, of tunnel: Int = 0, end: DriftRecord.End? = nil) -> DriftRecord {
        DriftRecord(
            tunnel: tunnels[tunnel], field: "mtu", desired: "1400", observed: "\(number)",
            foundAt: Timestamp(milliseconds: Int64(number)), author: nil, end: end)
    }

    private func add(_ record: DriftRecord) throws -> Int64 {
        try store.write { (transaction) throws(StoreError) in try transaction.store(record) }
    }

    private func all(_ tunnel: Int = 0, isOpen: Bool = false) throws -> [DriftRecord] {
        try store.drifts(of: tunnels[tunnel], before: nil, limit: 10_000, isOpen: isOpen)
    }

    @Test func rowsComeBackAsTheyWere() throws {
        let authors = [nil, ChangeAuthor(pid: 42, program: nil), ChangeAuthor(pid: 1, program: "a \"name\"\u{7f}")]
        let ends =
            [nil]
            + DriftRecord.Outcome.allCases.map {
                DriftRecord.End($0, at: Timestamp(milliseconds: 1_700_000_000_001))
            }
        var written: [DriftRecord] = []
        for author in authors {
            for end in ends {
                var record = DriftRecord(
                    tunnel: tunnels[0], field: "addresses", desired: "absent", observed: "10.0.0.1/24",
                    foundAt: Timestamp(milliseconds: 1_700_000_000_000), author: author, end: end)
                record.id = try add(record)
                written.append(record)
            }
        }
        #expect(try all() == written.reversed())
        #expect(try all(isOpen: true) == written.reversed().filter { $0.end == nil })
        #expect(try store.openDrifts() == written.filter { $0.end == nil })
        #expect(try all(1) == [])
    }

    @Test func aRowIsClosedInItsPlace() throws {
        var first = record(1)
        first.id = try add(first)
        _ = try add(record(2, of: 1))
        first.end = DriftRecord.End(.withdrawn, at: Timestamp(milliseconds: 9))
        #expect(try add(first) == first.id)
        #expect(try all() == [first])
        #expect(try store.openDrifts().map(\.observed) == ["2"])
    }

    @Test func pagesFollowEachOther() throws {
        for number in 0..<25 { _ = try add(record(number, of: number % 2)) }
        var pages: [[String]] = []
        var cursor: Int64?
        repeat {
            let page = try store.drifts(of: tunnels[0], before: cursor, limit: 5, isOpen: false)
            pages.append(page.map(\.observed))
            cursor = page.last?.id
        } while pages.last?.count == 5
        #expect(pages.flatMap(\.self) == stride(from: 24, through: 0, by: -2).map { "\($0)" })
        #expect(pages.map(\.count) == [5, 5, 3])
    }

    @Test func aTunnelKeepsItsNewestThousandAndWhatIsOpen() throws {
        _ = try add(record(-1))
        let end = DriftRecord.End(.repaired, at: Timestamp(milliseconds: 5))
        try store.write { (transaction) throws(StoreError) in
            for number in 0..<1100 { try transaction.store(record(number, end: end)) }
            try transaction.store(record(7, of: 1, end: end))
        }
        let kept = try all()
        #expect(kept.count == 1001)
        #expect(kept.first?.observed == "1099" && kept.last?.observed == "-1")
        #expect(try all(1).count == 1)
    }

    @Test func theLedgerAsAWholeIsPruned() throws {
        let end = DriftRecord.End(.repaired, at: Timestamp(milliseconds: 5))
        let open = try add(record(0))
        for number in 1..<20 { _ = try add(record(number, of: number % 2, end: end)) }
        #expect(try store.pruneDrifts(keeping: 5) == 14)
        #expect(try all().map(\.observed) == ["18", "16", "0"])
        #expect(try store.openDrifts().map(\.id) == [open])
        #expect(try store.pruneDrifts(keeping: 5) == 0)
        #expect(try store.pruneDrifts(keeping: 0) == 4)
        // The latest stays, so that no id is given twice.
        #expect(try add(record(99)) == 21)
    }

    @Test func theDetailOfAnEventNamesWhoDidIt() throws {
        var record = record(1300)
        #expect(
            Event.detail([record])
                == #"{"differences":[{"desired":"1400","field":"mtu","observed":"1300","pid":null,"program":null}]}"#)
        record = DriftRecord(
            tunnel: tunnels[0], field: "routes", desired: "absent", observed: "10.0.0.0/8 metric 0",
            foundAt: Timestamp(milliseconds: 0), author: ChangeAuthor(pid: 7, program: "ip"))
        #expect(Event.detail([record])?.contains(#""10.0.0.0/8 metric 0","pid":7,"program":"ip""#) == true)
    }
}
