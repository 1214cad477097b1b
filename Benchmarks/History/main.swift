// Fills a history of many tunnels as full as it gets, and prints as JSON what it takes. Needs no kernel and no server:
//
//     swift run -c release measure-history [tunnels]

internal import Foundation
internal import History
internal import Logging
internal import Tunnels

let count = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 10_000
let directory = FileManager.default.temporaryDirectory.appending(path: "history-\(UUID().uuidString)")
try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
var generator = SystemRandomNumberGenerator()

/// All tunnels' counters in an interval; a tenth of them changes from one to the next.
var growths: [(id: TunnelID, growth: LinkCounters?)] = (0..<count).map { _ in
    (TunnelID(at: Timestamp(milliseconds: 0), using: &generator), anything())
}

func anything() -> LinkCounters {
    var growth = LinkCounters()
    (growth.rx.packets, growth.rx.bytes) = (.random(in: 0..<100_000), .random(in: 0..<100_000_000))
    (growth.tx.packets, growth.tx.bytes) = (.random(in: 0..<100_000), .random(in: 0..<100_000_000))
    return growth
}

func residentBytes() -> Int {
    let pages = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")[1]
    return pages.flatMap { Int($0) }.map { $0 * 4096 } ?? 0
}

let budget = RateHistory.Budget()
let path = directory.appending(path: "measured").path
let before = residentBytes()
let history = RateHistory(path: path, budget: budget, logger: Logger(label: "")) { _ in false }
let clock = ContinuousClock()
var now: Int64 = 1_700_000_000
var records: [Duration] = []
// Slow samples until the coarser frames are all there, then a quarter of an hour of fast ones.
for step in 0..<10_000 {
    let seconds: Int64 = step < 9000 ? 20 : 1
    now += seconds
    for index in stride(from: step % 10, to: count, by: 10) { growths[index].growth = anything() }
    let time = clock.measure {
        // No second begins with a sample.
        history.record(until: Timestamp(milliseconds: now * 1000 + 137), seconds: Double(seconds), growths)
    }
    if seconds == 1 { records.append(time) }
    if now % 300 < 20 { history.settle() }
}
history.settle()
let resident = residentBytes() - before
let write = clock.measure {
    history.flush(purging: false)
    history.settle()
}
func query(seconds: Int64, step: Int64) -> Duration {
    let span = StepSpan(covering: now - seconds..<now, step: step)
    return clock.measure {
        for entry in growths.prefix(10) {
            _ = history.series(of: entry.id, in: span, now: Timestamp(milliseconds: now * 1000))
        }
    } / 10
}
records.sort()
let results: [(String, Double)] = [
    ("tunnels", Double(count)), ("resident_bytes", Double(resident)), ("counted_bytes", Double(history.memoryBytes)),
    ("bound_bytes", Double(budget.memoryBytes)), ("record_ms_median", records[records.count / 2] / .milliseconds(1)),
    ("record_ms_most", (records.last ?? .zero) / .milliseconds(1)), ("write_ms", write / .milliseconds(1)),
    ("file_bytes", Double(history.diskBytes)),
    ("query_15m_ms", query(seconds: 900, step: 1) / .milliseconds(1)),
    ("query_6h_ms", query(seconds: 21_600, step: 30) / .milliseconds(1)),
    ("query_2d_ms", query(seconds: 172_800, step: 900) / .milliseconds(1)),
    ("failures", Double(history.failures)),
]
print("{" + results.map { "\"\($0)\": \($1)" }.joined(separator: ", ") + "}")
history.stop()
try FileManager.default.removeItem(at: directory)
exit(resident <= budget.memoryBytes ? 0 : 1)
