internal import Foundation
internal import History
internal import Logging
internal import Tunnels

/// Fills a history of many tunnels as full as it gets, and prints as JSON what it takes; fails where that is more memory
/// than the bound. Needs no kernel and no server:
///
///     swift run -c release measure-history [tunnels]
@main
struct MeasureHistory {
    private let budget = RateHistory.Budget()
    private let directory: URL
    private let history: RateHistory
    private let clock = ContinuousClock()
    private let before: Int
    /// What all tunnels counted; a tenth of it changes from one sample to the next.
    private var growths: [(id: TunnelID, growth: LinkCounters?)]
    private var now: Int64 = 1_700_000_000
    private var records: [Duration] = []

    static func main() throws {
        var measure = try MeasureHistory(tunnels: CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 10_000)
        // Slow samples until all of the coarser frames but hours are there, then a quarter of an hour of fast ones.
        for step in 0..<2000 { measure.step(step, seconds: step < 1100 ? 20 : 1) }
        try measure.report()
    }

    private init(tunnels: Int) throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "history-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        var generator = SystemRandomNumberGenerator()
        growths = (0..<tunnels).map { _ in
            (TunnelID(at: Timestamp(milliseconds: 0), using: &generator), Self.anything())
        }
        before = Self.residentBytes
        let path = directory.appending(path: "measured").path
        history = RateHistory(path: path, budget: budget, logger: Logger(label: "")) { _ in false }
    }

    private mutating func step(_ step: Int, seconds: Int64) {
        now += seconds
        for index in stride(from: step % 10, to: growths.count, by: 10) { growths[index].growth = Self.anything() }
        // No second begins with a sample.
        let end = Timestamp(milliseconds: now * 1000 + 137)
        let time = clock.measure { history.record(until: end, seconds: Double(seconds), growths) }
        if seconds == 1 { records.append(time) }
        if now % 300 < 20 { history.settle() }
    }

    private func report() throws {
        history.settle()
        let resident = Self.residentBytes - before
        let write = clock.measure {
            history.flush(purging: false)
            history.settle()
        }
        let sorted = records.sorted()
        let results: [(String, Double)] = [
            ("tunnels", Double(growths.count)), ("resident_bytes", Double(resident)),
            ("counted_bytes", Double(history.memoryBytes)), ("bound_bytes", Double(budget.memoryBytes)),
            ("record_ms_median", sorted[sorted.count / 2] / .milliseconds(1)),
            ("record_ms_most", (sorted.last ?? .zero) / .milliseconds(1)), ("write_ms", write / .milliseconds(1)),
            ("file_bytes", Double(history.diskBytes)), ("query_15m_ms", query(seconds: 900, step: 1)),
            ("query_6h_ms", query(seconds: 21_600, step: 30)), ("query_2d_ms", query(seconds: 172_800, step: 900)),
            ("failures", Double(history.failures)),
        ]
        print("{" + results.map { "\"\($0)\": \($1)" }.joined(separator: ", ") + "}")
        history.stop()
        try FileManager.default.removeItem(at: directory)
        if resident > budget.memoryBytes { exit(1) }
    }

    /// Milliseconds, of ten tunnels on average.
    private func query(seconds: Int64, step: Int64) -> Double {
        let span = StepSpan(covering: now - seconds..<now, step: step)
        let time = clock.measure {
            for entry in growths.prefix(10) {
                _ = history.series(of: entry.id, in: span, now: Timestamp(milliseconds: now * 1000))
            }
        }
        return time / .milliseconds(10)
    }

    private static func anything() -> LinkCounters {
        var growth = LinkCounters()
        (growth.rx.packets, growth.rx.bytes) = (.random(in: 0..<100_000), .random(in: 0..<100_000_000))
        (growth.tx.packets, growth.tx.bytes) = (.random(in: 0..<100_000), .random(in: 0..<100_000_000))
        return growth
    }

    private static var residentBytes: Int {
        let pages = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")[1]
        return pages.flatMap { Int($0) }.map { $0 * 4096 } ?? 0
    }
}
