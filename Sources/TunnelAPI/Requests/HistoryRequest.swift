internal import HTTPServer
internal import History
internal import Tunnels

/// `?from=&to=&step=`: which time of the history, and in how large steps.
struct HistoryRequest {
    /// In an answer.
    static let mostPoints = 10_000
    /// Where the step isn't said.
    static let usualPoints = 1000
    /// Seconds, where `from` isn't said.
    static let usualTime: Int64 = 900
    /// Seconds.
    static let steps: ClosedRange<Int64> = 1...400 * 86_400

    /// What is taken, or told as one that would do, where a step isn't said or is too small; seconds, as texts.
    private static let usualSteps = [
        "1s", "2s", "5s", "10s", "20s", "30s", "1m", "2m", "5m", "10m", "20m", "30m", "1h", "2h", "3h", "6h", "12h",
        "1d",
        "2d", "7d", "30d", "365d",
    ]

    let span: StepSpan

    init(_ request: Request, now: Timestamp) throws(Problem) {
        let query = try Query(request, known: ["from", "to", "step"])
        let to = min(try Self.time(query, "to") ?? now, now)
        let end = Self.seconds(to, roundedUp: true)
        let from = try Self.time(query, "from") ?? Timestamp(milliseconds: (end - Self.usualTime) * 1000)
        guard from <= now else {
            throw Problem(.invalidParameter, "from is in the future: it is \(now) here.")
        }
        guard from < to else { throw Problem(.invalidParameter, "from must be before to: \(from) isn't before \(to).") }
        let time = Self.seconds(from, roundedUp: false)..<end
        let step = try query.value("step").map { text throws(Problem) in try Self.step(text) }
        span = StepSpan(covering: time, step: step ?? Self.step(for: time, points: Self.usualPoints).seconds)
        guard span.count <= Self.mostPoints else {
            let fitting = Self.step(for: time, points: Self.mostPoints).text
            throw Problem(
                .invalidParameter,
                "That would be \(span.count) points, and \(Self.mostPoints) are the most: a step of \(fitting) would do, "
                    + "or less time.")
        }
    }

    private static func seconds(_ time: Timestamp, roundedUp: Bool) -> Int64 {
        let seconds = time.milliseconds / 1000
        let rest = time.milliseconds % 1000
        if roundedUp { return rest > 0 ? seconds + 1 : seconds }
        return rest < 0 ? seconds - 1 : seconds
    }

    private static func time(_ query: Query, _ name: String) throws(Problem) -> Timestamp? {
        guard let text = try query.value(name) else { return nil }
        guard let time = Timestamp(rfc3339: text) else {
            throw Problem(
                .invalidParameter,
                "\(name) is a time as 2026-01-02T03:04:05Z (RFC 3339; the + of an offset is written %2B).")
        }
        return time
    }

    private static func step(_ text: String) throws(Problem) -> Int64 {
        guard let seconds = duration(text), steps.contains(seconds) else {
            throw Problem(.invalidParameter, "step is a duration in whole seconds, as 10s, 1m, 1h or 1d; 400d at most.")
        }
        return seconds
    }

    private static func duration(_ text: String) -> Int64? {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        let digits = text.dropLast()
        guard let unit = text.last.flatMap({ units[$0] }), let number = Int64(digits), String(number) == digits else {
            return nil
        }
        let (seconds, overflows) = number.multipliedReportingOverflow(by: unit)
        return overflows ? nil : seconds
    }

    private static func step(for time: Range<Int64>, points: Int) -> (seconds: Int64, text: String) {
        let known = usualSteps.compactMap { text in duration(text).map { (seconds: $0, text: text) } }
        let fitting = known.first { StepSpan(covering: time, step: $0.seconds).count <= points }
        return fitting ?? known.last ?? (steps.upperBound, "400d")
    }
}
