import Reconciler
import Synchronization
import Tunnels

/// Clocks that stand still, and timers that go off when the test moves them on.
final class ManualTime: Sendable {
    private struct Timer {
        let due: Duration
        let action: @Sendable () -> Void
    }

    private struct State {
        var uptime = Duration.seconds(1000)
        /// By how much the wall clock was set.
        var offset = Duration.zero
        var timers: [Timer] = []
        var delays: [Duration] = []
    }

    private let state = Mutex(State())

    static let start = Timestamp(milliseconds: 1_700_000_000_000)

    var uptime: Duration { state.withLock { $0.uptime } }

    var now: Timestamp {
        let since = state.withLock { $0.uptime + $0.offset } - .seconds(1000)
        return Timestamp(milliseconds: Self.start.milliseconds + Int64(since / .milliseconds(1)))
    }

    /// Sets the wall clock, and no other.
    func setClock(forward: Duration) {
        state.withLock { $0.offset += forward }
    }

    /// The delays of all timers that were ever set, in order.
    var delays: [Duration] { state.withLock { $0.delays } }

    var timing: Timing {
        Timing(now: { self.now }, uptime: { self.uptime }, after: { self.set($0, $1) })
    }

    private func set(_ delay: Duration, _ action: @escaping @Sendable () -> Void) {
        state.withLock { state in
            state.delays.append(delay)
            state.timers.append(Timer(due: state.uptime + delay, action: action))
        }
    }

    /// Moves on to the next timer that is due by then, and lets it go off.
    ///
    /// - Returns: whether there was one.
    func step(upTo end: Duration) -> Bool {
        let action: (@Sendable () -> Void)? = state.withLock { state in
            guard let next = state.timers.indices.min(by: { state.timers[$0].due < state.timers[$1].due }),
                state.timers[next].due <= end
            else { return nil }
            let timer = state.timers.remove(at: next)
            state.uptime = max(state.uptime, timer.due)
            return timer.action
        }
        action?()
        return action != nil
    }

    /// Moves the clocks on without letting a timer go off.
    func move(to uptime: Duration) {
        state.withLock { $0.uptime = max($0.uptime, uptime) }
    }
}
