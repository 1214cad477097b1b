import Netlink
import Testing

@testable import BPFDataPlane

@Suite struct MapTests {
    let object: ProgramObject
    let setting: BPFMap<UInt32, UInt64>
    let counter: PerCPUCounters<UInt32, Trial.Counter>

    init() throws {
        object = try Trial.load()
        setting = try BPFMap(#require(object.map(named: "trial_setting")))
        counter = try PerCPUCounters(#require(object.map(named: "trial_counter")))
    }

    @Test func oneEntry() throws {
        #expect(try setting.value(of: 1) == nil)
        try setting.set(10, for: 1, .new)
        #expect(try setting.value(of: 1) == 10)
        #expect(throws: BPFError.self) { try setting.set(11, for: 1, .new) }
        try setting.set(12, for: 1, .existing)
        let error = #expect(throws: BPFError.self) { try setting.set(13, for: 2, .existing) }
        #expect(error?.code == .noSuchEntry && error?.operation == "write to map trial_setting")
        try setting.set(14, for: 1)
        #expect(try setting.value(of: 1) == 14)
        #expect(try setting.remove(1))
        #expect(try !setting.remove(1))
        #expect(try setting.entries().isEmpty)
    }

    @Test func aThousandAtOnce() throws {
        let entries = (1...1000 as ClosedRange<UInt32>).map { (key: $0, value: UInt64($0) * 3) }
        try setting.set(entries, .new)
        let read = try setting.entries()
        #expect(read.count == 1000)
        #expect(Dictionary(uniqueKeysWithValues: read.map { ($0.key, $0.value) })[777] == 2331)
        #expect(Set(try setting.keys()) == Set(1...1000))
        // Key by key tells the same.
        let walked = try setting.map.walk()
        #expect(Set(walked.keys.values(of: UInt32.self)) == Set(1...1000))
        #expect(walked.values.values(of: UInt64.self).reduce(0, +) == 1_501_500)
        // What isn't there doesn't keep the others.
        try setting.remove(Array(500...1500))
        #expect(Set(try setting.keys()) == Set(1...499))
        try setting.remove([])
        try setting.set([])
    }

    @Test func manyUpToTheFirstThatIsRefused() throws {
        try setting.set(1, for: 3)
        let error = #expect(throws: BPFError.self) {
            try setting.set((1...5 as ClosedRange<UInt32>).map { ($0, 9) }, .new)
        }
        #expect(error?.code == .exists && error?.log == "after 2 of them")
        #expect(Set(try setting.keys()) == [1, 2, 3])
        // In one system call too, where the map is full.
        try setting.remove([1, 2, 3])
        try setting.set((1...4094 as ClosedRange<UInt32>).map { ($0, 0) })
        let full = #expect(throws: BPFError.self) {
            try setting.set((5001...5005 as ClosedRange<UInt32>).map { ($0, 9) })
        }
        #expect(full?.errno == 7 && full?.log == "after 2 of them")
    }

    @Test func aFullMapSaysSo() throws {
        try setting.set((1...4096 as ClosedRange<UInt32>).map { ($0, 0) })
        #expect(try setting.entries().count == 4096)
        let error = #expect(throws: BPFError.self) { try setting.set(0, for: 5000) }
        #expect(error?.errno == 7)
    }

    @Test func countersAreSumsOverTheCPUs() throws {
        #expect(try counter.total(of: 1) == nil)
        try counter.reset(1, .new)
        #expect(try counter.total(of: 1) == Trial.Counter())
        // Each CPU's own, as the kernel lays them out.
        let each: [UInt64] = (0..<UInt64(LoadedMap.possibleCPUs)).flatMap { [$0 + 1, 100] }
        try counter.map.write(
            [UInt8](bytesOf: UInt32(2)), each.flatMap { [UInt8](bytesOf: $0) }, .any)
        let count = UInt64(LoadedMap.possibleCPUs)
        let sum = Trial.Counter(packets: count * (count + 1) / 2, bytes: count * 100)
        #expect(try counter.total(of: 2) == sum)
        let totals = try counter.totals()
        #expect(Dictionary(uniqueKeysWithValues: totals.map { ($0.key, $0.total) }) == [1: Trial.Counter(), 2: sum])
        try counter.reset(Array(3...1000), .new)
        #expect(try counter.keys().count == 1000)
        #expect(try counter.totals().count == 1000)
        try counter.reset(2, .existing)
        #expect(try counter.total(of: 2) == Trial.Counter())
        try counter.remove(Array(2...1000))
        #expect(try counter.keys() == [1])
        #expect(try counter.remove(1))
    }

    @Test func aMapOfAnotherLayoutIsRefused() throws {
        let map = setting.map
        #expect(throws: BPFError.self) { _ = try BPFMap<UInt64, UInt64>(map) }
        #expect(throws: BPFError.self) { _ = try BPFMap<UInt32, UInt32>(map) }
        #expect(throws: BPFError.self) { _ = try PerCPUCounters<UInt32, UInt64>(map) }
        #expect(throws: BPFError.self) { _ = try BPFMap<UInt32, Trial.Counter>(counter.map) }
        #expect(throws: BPFError.self) { try map.write([1], [2], .any) }
    }

    @Test func aMapIsFoundByItsNumber() throws {
        try setting.set(5, for: 5)
        let found = try BPFMap<UInt32, UInt64>(LoadedMap(id: setting.map.id))
        #expect(found.map.name == "trial_setting")
        #expect(try found.value(of: 5) == 5)
    }
}

extension BPFError {
    var errno: Int32 { code.rawValue }
}
