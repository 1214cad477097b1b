/// How long to wait before the next try of what failed: from 100 ms, doubling, to a minute.
struct Backoff: Equatable {
    private(set) var delay = Duration.milliseconds(100)

    mutating func next() -> Duration {
        defer { delay = min(delay * 2, .seconds(60)) }
        return delay
    }
}
