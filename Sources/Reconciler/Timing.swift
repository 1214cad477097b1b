internal import Dispatch
internal import FoundationEssentials
public import Tunnels

/// The clocks and the timer that the reconciler uses; tests give their own.
public struct Timing: Sendable {
    public var now: @Sendable () -> Timestamp
    /// Since some moment in the past; never goes back.
    public var uptime: @Sendable () -> Duration
    /// Calls back once after the delay.
    public var after: @Sendable (Duration, @escaping @Sendable () -> Void) -> Void

    public init(
        now: @escaping @Sendable () -> Timestamp,
        uptime: @escaping @Sendable () -> Duration,
        after: @escaping @Sendable (Duration, @escaping @Sendable () -> Void) -> Void
    ) {
        self.now = now
        self.uptime = uptime
        self.after = after
    }

    /// The system's clocks and timer.
    public static let system = Timing(
        now: { Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) },
        uptime: { [start = ContinuousClock.now] in ContinuousClock.now - start },
        after: { delay, action in
            let nanoseconds =
                delay.components.seconds * 1_000_000_000 + delay.components.attoseconds / 1_000_000_000
            DispatchQueue.global().asyncAfter(
                deadline: .now() + .nanoseconds(Int(nanoseconds)), execute: action)
        })
}
