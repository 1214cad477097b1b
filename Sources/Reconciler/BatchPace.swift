/// How many writes the writer waits for before it begins a batch, and how long.
///
/// Clients that wrote together will write again about now, and a batch costs one flush of the disk however many writes
/// share it. So the writer waits for as many as came last time, and, now and then, for twice as many: those that it
/// keeps from being read and parsed while it works can't come otherwise. A client alone never waits.
struct BatchPace: Equatable {
    /// 1 for no waiting.
    private(set) var expected = 1
    /// How long for each that is missing: as long as a batch takes, so that waiting in vain costs one of many.
    private(set) var pause = Duration.milliseconds(1)
    private var roundsUntilProbe = 0

    private static let roundsBetweenProbes = 16
    private static let shortestPause = Duration.microseconds(100)
    private static let longestPause = Duration.milliseconds(5)

    /// Takes in how many writes shared a batch, and how long that took.
    mutating func learn(found: Int, took duration: Duration, limit: Int) {
        pause = min(max(duration, Self.shortestPause), Self.longestPause)
        if found < expected {
            // Some are late now and then: forgotten slowly, they are waited for next time.
            expected = max(found, expected * 3 / 4, 1)
            roundsUntilProbe = Self.roundsBetweenProbes
        } else if found > 1, roundsUntilProbe == 0 {
            expected = min(found * 2, limit)
        } else {
            expected = max(found, 1)
            roundsUntilProbe = max(0, roundsUntilProbe - 1)
        }
    }
}
