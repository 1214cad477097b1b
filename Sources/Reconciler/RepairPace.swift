/// How often one tunnel is repaired: ten times within a minute. One that needs more is left alone for a minute, and when
/// that begins again soon, for twice as long, up to ten.
struct RepairPace: Equatable {
    static let repairs = 10
    static let window = Duration.seconds(60)
    static let shortestPause = Duration.seconds(60)
    static let longestPause = Duration.seconds(600)

    /// When the repairs of the last minute were.
    private var recent: [Duration] = []
    private var pause = Self.shortestPause
    /// The end of the last pause.
    private var lastEnd: Duration?

    /// Asks for one repair.
    ///
    /// - Parameter now: since some moment in the past.
    /// - Returns: whether it is one of ten within a minute; then it counts.
    mutating func admit(at now: Duration) -> Bool {
        recent.removeAll { $0 + Self.window <= now }
        guard recent.count < Self.repairs else { return false }
        recent.append(now)
        return true
    }

    /// Begins a pause.
    ///
    /// - Returns: how long it is.
    mutating func suspend(at now: Duration) -> Duration {
        // After ten quiet minutes whatever comes is taken for another quarrel.
        if let lastEnd, now - lastEnd < Self.longestPause {
            pause = min(pause * 2, Self.longestPause)
        } else {
            pause = Self.shortestPause
        }
        lastEnd = now + pause
        return pause
    }
}
