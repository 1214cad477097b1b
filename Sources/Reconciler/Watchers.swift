internal import Dispatch
internal import Synchronization
public import Tunnels

/// Clients that wait for a tunnel to become as they want it. None holds a thread.
public final class Watchers: Sendable {
    public enum Ending: Sendable {
        case reached
        case timedOut
        /// The daemon is stopping.
        case stopping
    }

    /// As many wait as may.
    public struct Full: Error {}

    /// Given the tunnel as it is at the end; nil where there is none.
    public typealias Completion = @Sendable (Ending, TunnelView?) -> Void

    fileprivate struct Watcher {
        let key: TunnelKey
        let deadline: Duration
        let isReached: @Sendable (TunnelView?) -> Bool
        let completion: Completion
    }

    fileprivate struct State {
        var watchers: [UInt64: Watcher] = [:]
        var byKey: [TunnelKey: Set<UInt64>] = [:]
        var lastID: UInt64 = 0
        /// When the next timer goes off.
        var armedFor: Duration?
        var isStopped = false
    }

    private let directory: Directory
    private let timing: Timing
    private let limit: Int
    private let state = Mutex(State())
    /// Completions are called here, so that the writer goes on.
    private let queue = DispatchQueue(label: "watchers")

    public init(directory: Directory, timing: Timing, limit: Int = 1000) {
        self.directory = directory
        self.timing = timing
        self.limit = limit
        directory.watch { [weak self] in self?.changed($0, $1) }
    }

    /// Calls `completion` once, when `isReached` accepts a view that was published, or the present one, or time is up.
    ///
    /// - Parameter isReached: called by the writer: quick.
    /// - Returns: for `cancel`.
    @discardableResult
    public func wait(
        for key: TunnelKey, atMost duration: Duration, until isReached: @escaping @Sendable (TunnelView?) -> Bool,
        completion: @escaping Completion
    ) throws(Full) -> UInt64 {
        let deadline = timing.uptime() + duration
        let watcher = Watcher(key: key, deadline: deadline, isReached: isReached, completion: completion)
        let id: UInt64? = state.withLock { $0.watchers.count < limit ? $0.add(watcher) : nil }
        guard let id else { throw Full() }
        // After it was added, so that no change comes in between.
        let view = directory.view(key)
        if isReached(view) {
            end([id], .reached, view)
        } else if state.withLock({ $0.isStopped }) {
            end([id], .stopping, view)
        } else {
            arm(for: deadline)
        }
        return id
    }

    /// Ends a wait before its time, as a time-out does.
    public func cancel(_ id: UInt64) { endOverdue([id]) }

    /// Ends all waits, and those to come at once.
    public func stop() {
        let all = state.withLock { state in
            state.isStopped = true
            return Array(state.watchers.keys)
        }
        end(all, .stopping, nil)
    }

    public var count: Int { state.withLock { $0.watchers.count } }

    /// Called by the writer, in order.
    private func changed(_ key: TunnelKey, _ view: TunnelView?) {
        let reached = state.withLock { state in
            (state.byKey[key] ?? []).filter { state.watchers[$0]?.isReached(view) ?? false }
        }
        end(reached, .reached, view)
    }

    private func end(_ ids: some Collection<UInt64>, _ ending: Ending, _ view: TunnelView?) {
        guard !ids.isEmpty else { return }
        let ended = state.withLock { state in ids.compactMap { state.remove($0) } }
        for watcher in ended { queue.async { watcher.completion(ending, view) } }
    }

    // MARK: Time

    private func arm(for deadline: Duration) {
        let isEarlier = state.withLock { state in
            if let armed = state.armedFor, armed <= deadline { return false }
            state.armedFor = deadline
            return true
        }
        guard isEarlier else { return }
        timing.after(deadline - timing.uptime()) { [weak self] in self?.timerWentOff(for: deadline) }
    }

    private func timerWentOff(for deadline: Duration) {
        let now = timing.uptime()
        let (overdue, next) = state.withLock { state in
            // One that an earlier one has overtaken leaves the next to that.
            if state.armedFor == deadline { state.armedFor = nil }
            let overdue = state.watchers.filter { $0.value.deadline <= now }.keys
            return (Array(overdue), state.watchers.values.map(\.deadline).filter { $0 > now }.min())
        }
        endOverdue(overdue)
        if let next { arm(for: next) }
    }

    private func endOverdue(_ ids: [UInt64]) {
        for id in ids {
            let watcher = state.withLock { $0.remove(id) }
            guard let watcher else { continue }
            queue.async { [directory] in watcher.completion(.timedOut, directory.view(watcher.key)) }
        }
    }
}

extension Watchers.State {
    fileprivate mutating func add(_ watcher: Watchers.Watcher) -> UInt64 {
        lastID += 1
        watchers[lastID] = watcher
        byKey[watcher.key, default: []].insert(lastID)
        return lastID
    }

    fileprivate mutating func remove(_ id: UInt64) -> Watchers.Watcher? {
        guard let watcher = watchers.removeValue(forKey: id) else { return nil }
        byKey[watcher.key]?.remove(id)
        if byKey[watcher.key]?.isEmpty ?? false { byKey[watcher.key] = nil }
        return watcher
    }
}
