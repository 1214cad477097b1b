import Foundation
import GRDB
import Logging
import Synchronization
import Testing
import Tunnels

@testable import History

/// History on disk, in a directory that goes with the test.
final class Bench {
    let directory: URL
    let log = Log()
    let gone = Gone()
    var history: RateHistory
    var budget = RateHistory.Budget()
    var now: Int64

    final class Log: Sendable {
        let lines = Mutex<[String]>([])
        var all: [String] { lines.withLock { $0 } }
    }

    final class Gone: Sendable {
        let ids = Mutex<Set<TunnelID>>([])
    }

    struct Handler: LogHandler {
        let log: Log
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            log.lines.withLock { $0.append("\(event.level): \(event.message) \(event.metadata ?? [:])") }
        }
    }

    /// - Parameter before: is done to the file before it is first opened.
    init(
        budget: RateHistory.Budget = .init(), at now: Int64 = 1_700_006_400, before: (String) throws -> Void = { _ in }
    )
        throws
    {
        directory = FileManager.default.temporaryDirectory.appending(path: "history-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        (self.budget, self.now) = (budget, now)
        try before(directory.appending(path: "t.history").path)
        history = Self.open(directory, budget, log, gone)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    var path: String { directory.appending(path: "t.history").path }

    private static func open(_ directory: URL, _ budget: RateHistory.Budget, _ log: Log, _ gone: Gone) -> RateHistory {
        RateHistory(
            path: directory.appending(path: "t.history").path, budget: budget,
            logger: Logger(label: "") { _ in Handler(log: log) },
            isGone: { id in gone.ids.withLock { $0.contains(id) } })
    }

    /// Without a stop, as after a kill; what was written is there.
    func reopen() {
        history.disk?.wait()
        history = Self.open(directory, budget, log, gone)
    }

    func restart() {
        history.stop()
        reopen()
    }

    /// Samples of the seconds that follow.
    ///
    /// - Parameter isVaried: whether the rate isn't always the same, which takes more room.
    func run(
        _ seconds: Int64, _ ids: [TunnelID], packets: UInt64, each interval: Int64 = 1, isVaried: Bool = false
    ) {
        for _ in 0..<(seconds / interval) {
            now += interval
            let growth = growth(packets: packets * UInt64(interval) + (isVaried ? UInt64(now % 7000) : 0))
            history.record(
                until: Timestamp(milliseconds: now * 1000), seconds: Double(interval), ids.map { ($0, growth) })
            // The disk would follow by itself; here it shall before the next block.
            if now % 60 == 0 { history.disk?.wait() }
        }
    }

    func packets(_ id: TunnelID, _ time: Range<Int64>, step: Int64) -> [Double?] {
        let span = StepSpan(covering: time, step: step)
        return history.series(of: id, in: span, now: Timestamp(milliseconds: now * 1000)).steps.map { $0?.rxPackets }
    }

    func rows(_ sql: String) throws -> Int {
        try DatabaseQueue(path: path).read { try Int.fetchOne($0, sql: sql) ?? -1 }
    }
}

@Suite struct FileTests {
    private let two = ids(2)

    @Test func aStopLosesNothingCoarserThanSeconds() throws {
        let bench = try Bench()
        let start = bench.now
        bench.run(4000, two, packets: 10)
        bench.run(127, two, packets: 30)
        bench.restart()
        #expect(bench.packets(two[1], start..<start + 4000, step: 10) == Array(repeating: 10, count: 400))
        #expect(bench.packets(two[1], start + 4000..<start + 4120, step: 10) == Array(repeating: 30, count: 12))
        #expect(bench.packets(two[1], start..<start + 3600, step: 60) == Array(repeating: 10, count: 60))
        #expect(bench.packets(two[1], start..<start + 3600, step: 3600) == [10])
        #expect(bench.log.all == [])
    }

    @Test func aKillLosesFiveMinutes() throws {
        let bench = try Bench()
        let start = bench.now
        bench.run(3700, two, packets: 10)
        bench.reopen()
        let kept = bench.packets(two[0], start..<start + 3700, step: 10).prefix { $0 == 10 }.count * 10
        #expect(kept >= 3400)
    }

    /// The hour, the minute and the ten seconds in which it stops go on afterwards.
    @Test func placesGoOnAfterAStop() throws {
        let bench = try Bench()
        let start = bench.now
        bench.run(1803, two, packets: 10)
        bench.restart()
        bench.run(1897, two, packets: 30)
        #expect(isNear(bench.packets(two[0], start..<start + 3600, step: 3600)[0], 20))
        let minutes = bench.packets(two[0], start..<start + 3600, step: 60)
        #expect(minutes.allSatisfy { $0 != nil })
        #expect(minutes[..<30].allSatisfy { $0 == 10 } && minutes[31...].allSatisfy { $0 == 30 })
        bench.restart()
        #expect(isNear(bench.packets(two[0], start..<start + 3600, step: 3600)[0], 20))
    }

    @Test func timeThatNobodyWatchedIsAGap() throws {
        let bench = try Bench()
        let start = bench.now
        bench.run(600, two, packets: 10)
        bench.restart()
        bench.now += 600
        bench.run(600, two, packets: 10)
        let minutes = bench.packets(two[0], start..<start + 1800, step: 60)
        #expect(minutes[..<10].allSatisfy { $0 == 10 } && minutes[20...].allSatisfy { $0 == 10 })
        #expect(minutes[10..<20].allSatisfy { $0 == nil })
    }

    @Test func daysArePrunedToWhatIsKept() throws {
        var budget = RateHistory.Budget()
        budget.diskBytes = 1 << 17
        let bench = try Bench(budget: budget)
        let many = ids(12)
        bench.run(18_000, many, packets: 10, each: 20)
        bench.restart()
        let retention = Retention(tunnels: 12, budget: 1 << 17)
        for resolution in Resolution.stored {
            let blocks = try bench.rows("SELECT count(DISTINCT key >> 32) FROM \(resolution.table)")
            #expect(blocks <= retention[resolution] && blocks >= 1)
        }
        #expect(bench.history.diskBytes <= 1 << 17)
        #expect(bench.history.failures == 0)
        // What is kept is there, and of the time before coarser places tell.
        let end = bench.now
        #expect(bench.packets(many[7], end - 3600..<end, step: 60).allSatisfy { $0 == 10 })
        let day = bench.packets(many[7], end - 18_000..<end - 3600, step: 3600)
        #expect(day.allSatisfy { $0 == 10 })
    }

    @Test func aDeletedTunnelsRowsGo() throws {
        let bench = try Bench()
        bench.run(4000, two, packets: 10, each: 10)
        bench.restart()
        bench.gone.ids.withLock { _ = $0.insert(two[0]) }
        bench.run(700, [two[1]], packets: 10, each: 10)
        bench.history.disk?.wait()
        #expect(try bench.rows("SELECT count(*) FROM tunnel") == 1)
        for resolution in Resolution.stored {
            let sql =
                "SELECT count(*) FROM \(resolution.table) WHERE key & 0xFFFFFFFF NOT IN (SELECT number FROM tunnel)"
            #expect(try bench.rows(sql) == 0)
            #expect(try bench.rows("SELECT count(*) FROM \(resolution.table)") > 0)
        }
        #expect(bench.packets(two[0], bench.now - 4000..<bench.now, step: 60).allSatisfy { $0 == nil })
        #expect(bench.history.memory.frames.withLock { $0.slots.taken } == 1)
    }

    @Test(arguments: [
        "no database at all, but long enough to be taken for one".padding(toLength: 9000, withPad: "x", startingAt: 0),
        "short",
    ])
    func aDamagedFileIsMadeAnew(text: String) throws {
        let bench = try Bench { try Data(text.utf8).write(to: URL(filePath: $0)) }
        #expect(bench.log.all.count == 1 && bench.log.all[0].contains("history begins anew"), "\(bench.log.all)")
        let start = bench.now
        bench.run(700, two, packets: 10)
        bench.restart()
        #expect(bench.packets(two[0], start..<start + 600, step: 60) == Array(repeating: 10, count: 10))
    }

    @Test func aFileThatBreaksWhileItIsUsedIsMadeAnew() throws {
        let bench = try Bench()
        let many = ids(50)
        bench.run(1300, many, packets: 10, each: 10)
        bench.restart()
        var bytes = try Data(contentsOf: URL(filePath: bench.path))
        for index in 4096..<bytes.count { bytes[index] = 0x5A }
        try bytes.write(to: URL(filePath: bench.path))
        bench.reopen()
        bench.run(1300, many, packets: 20, each: 10)
        bench.history.disk?.wait()
        bench.run(310, many, packets: 20, each: 10)
        bench.history.disk?.wait()
        #expect(bench.log.all.contains { $0.contains("history begins anew") }, "\(bench.log.all)")
        #expect(try bench.rows("SELECT count(*) FROM ten_seconds") > 0)
        let rates = bench.packets(many[3], bench.now - 300..<bench.now, step: 10)
        #expect(rates == Array(repeating: 20, count: 30))
    }

    @Test(arguments: [
        "PRAGMA application_id = 1953852008; PRAGMA user_version = 2; CREATE TABLE later (x)",
        "CREATE TABLE mine (x)",
    ])
    func aFileOfALaterVersionOrAnotherProgramIsSetAside(sql: String) throws {
        let bench = try Bench { path in try DatabaseQueue(path: path).write { try $0.execute(sql: sql) } }
        #expect(bench.log.all.count == 1 && bench.log.all[0].contains("t.history.aside"), "\(bench.log.all)")
        let aside = try DatabaseQueue(path: bench.path + ".aside").read { database in
            try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master WHERE name IN ('later', 'mine')")
        }
        #expect(aside == 1)
        #expect(try bench.rows("SELECT count(*) FROM tunnel") == 0)
    }

    @Test func withoutADirectoryHistoryIsInMemory() throws {
        let bench = try Bench { path in
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
        let start = bench.now
        bench.run(1300, two, packets: 10)
        #expect(bench.log.all.count == 1 && bench.log.all[0].contains("it goes on in memory"), "\(bench.log.all)")
        #expect(bench.packets(two[0], start + 800..<start + 1300, step: 1) == Array(repeating: 10, count: 500))
        #expect(bench.history.failures > 1 && bench.history.diskBytes == 0)
        // When it can be had again it is taken.
        try FileManager.default.removeItem(atPath: bench.path)
        bench.run(600, two, packets: 10)
        #expect(bench.log.all.last?.contains("stored again") == true)
        bench.restart()
        #expect(bench.packets(two[0], start + 900..<start + 1800, step: 60) == Array(repeating: 10, count: 15))
    }

    /// `max_page_count` stands for a disk that has no more room.
    @Test func aFullDiskCostsOldHistoryAndIsToldOnce() throws {
        let bench = try Bench()
        let many = ids(60)
        bench.run(1300, many, packets: 10, each: 10, isVaried: true)
        bench.history.disk?.wait()
        let limit = bench.history.diskBytes / 4096 + 20
        try bench.history.disk?.limitPages(to: limit)
        bench.run(3000, many, packets: 20, each: 10, isVaried: true)
        bench.run(600, many, packets: 20, each: 10)
        bench.history.disk?.wait()
        #expect(bench.history.failures > 0)
        #expect(
            bench.log.all.filter { $0.contains("it goes on in memory") }.count <= bench.log.all.filter {
                $0.contains("stored again")
            }.count + 1)
        #expect(bench.packets(many[0], bench.now - 400..<bench.now, step: 1).allSatisfy { $0 == 20 })
        #expect(bench.history.diskBytes <= limit * 4096)
    }

    @Test func aSmallerBudgetMakesTheFileSmaller() throws {
        let bench = try Bench()
        let many = ids(40)
        bench.run(7200, many, packets: 10, each: 10, isVaried: true)
        bench.history.disk?.wait()
        let before = bench.history.diskBytes
        bench.budget.diskBytes = 1 << 18
        #expect(before > bench.budget.diskBytes)
        bench.restart()
        bench.run(700, many, packets: 10, each: 10)
        bench.history.disk?.wait()
        #expect(bench.history.diskBytes <= bench.budget.diskBytes)
        #expect(bench.history.failures == 0, "\(bench.log.all)")
    }

    /// A clock that was wrong for a while costs nothing of what was before.
    @Test(arguments: [-10 * 365 * 86_400, 10 * 365 * 86_400, -7200, 7200])
    func aWrongClockCostsNothing(by jump: Int64) throws {
        let bench = try Bench()
        let start = bench.now
        bench.run(4000, two, packets: 10, each: 10)
        bench.restart()
        bench.now += jump
        bench.run(1000, two, packets: 20, each: 10)
        bench.now -= jump
        bench.run(1000, two, packets: 30, each: 10)
        bench.restart()
        let tens = bench.packets(two[0], start..<start + 4000, step: 10)
        #expect(tens == Array(repeating: 10, count: 400) || jump == -7200)
        let later = bench.packets(two[0], start + 5000..<start + 5990, step: 10)
        #expect(later == Array(repeating: 30, count: 99))
    }

    @Test func withoutABudgetThereIsNothing() throws {
        var budget = RateHistory.Budget()
        budget.memoryBytes = 0
        let none = try Bench(budget: budget)
        none.run(700, two, packets: 10)
        #expect(none.packets(two[0], none.now - 600..<none.now, step: 1).allSatisfy { $0 == nil })
        #expect(!FileManager.default.fileExists(atPath: none.path) && none.log.all == [])
        budget = RateHistory.Budget()
        budget.diskBytes = 0
        let memory = try Bench(budget: budget)
        memory.run(7300, two, packets: 10, each: 10)
        #expect(memory.packets(two[0], memory.now - 7200..<memory.now, step: 10).allSatisfy { $0 == 10 })
        #expect(!FileManager.default.fileExists(atPath: memory.path) && memory.history.diskBytes == 0)
    }

    @Test func theFileIsItsOwners() throws {
        let bench = try Bench()
        let mode = try FileManager.default.attributesOfItem(atPath: bench.path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }
}

extension HistoryDisk {
    fileprivate func limitPages(to count: Int) throws {
        read { file in
            try file.writer.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = \(count)") }
        }
    }
}
