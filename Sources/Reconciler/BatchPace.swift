/// How many writes the writer waits for before it begins a batch.
///
/// Clients that wrote together will write again about now, and a batch costs one flush of the disk however many writes
/// share it. So the writer waits for as many as came last time, and, now and then, for twice as many: those that it
/// keeps from being read and parsed while it works can't come otherwise. A client alone never waits.
struct BatchPace: Equatable {
    /// 1 for no waiting.
    private(set) var expected = 1
    private var roundsUntilProbe = 0

    private static let roundsBetweenProbes = 16

    /// Takes in how many there were this time.
    mutating func learn(found: Int, limit: Int) {
        if found < expected {
            expected = max(found, 1)
            roundsUntilProbe = Self.roundsBetweenProbes
        } else if found > 1, roundsUntilProbe == 0 {
            expected = min(found * 2, limit)
        } else {
            expected = max(found, 1)
            roundsUntilProbe = max(0, roundsUntilProbe - 1)
        }
    }
}
