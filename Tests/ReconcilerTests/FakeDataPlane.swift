import ModelHost
import Synchronization
import Tunnels

/// A data plane in memory: the kernel's rules are `ModelHost`'s; refusals and other people's changes are the test's.
final class FakeDataPlane: DataPlane, CounterSource {
    struct State: Sendable {
        var host = ModelHost()
        /// What the kernel won't do.
        var refuse: @Sendable (TunnelPlan) -> TunnelProblem? = { _ in nil }
        /// Called after each apply, on the writer's thread.
        var afterApply: @Sendable () -> Void = {}
        /// The kernel can't be read.
        var unreadable: TunnelProblem?
        /// What the kernel told of others' changes.
        var notes: [ChangeNote] = []
        /// The plans of each call of `apply`.
        var applied: [[TunnelPlan]] = []
        var counters: [Int32: LinkCounters] = [:]
        var samples = 0
    }

    private let state = Mutex(State())
    let kind = DataPlaneKind.kernel

    var host: ModelHost { state.withLock { $0.host } }
    /// The plans of each call of `apply`.
    var applied: [[TunnelPlan]] { state.withLock { $0.applied } }
    /// How often counters were read.
    var samples: Int { state.withLock { $0.samples } }

    func edit<Value: Sendable>(_ body: (inout State) throws -> Value) rethrows -> Value {
        try state.withLock { try body(&$0) }
    }

    func refuse(_ problem: TunnelProblem = .refused, where matches: @escaping @Sendable (TunnelPlan) -> Bool) {
        state.withLock { $0.refuse = { matches($0) ? problem : nil } }
    }

    func refuseNothing() {
        state.withLock { $0.refuse = { _ in nil } }
    }

    // MARK: - DataPlane

    func observe(for tunnels: [Tunnel]) throws(TunnelProblem) -> ObservedState {
        try read { $0.observed(for: tunnels) }
    }

    func observe(_ tunnel: Tunnel, ifindex: Int32) throws(TunnelProblem) -> ObservedState {
        try read { host in
            let links = host.links.filter {
                $0.ifindex == ifindex || $0.name == tunnel.definition.underlay?.text
            }
            return ObservedState(links: links, paths: host.observed(for: [tunnel]).paths)
        }
    }

    func paths(of tunnels: [Tunnel]) throws(TunnelProblem) -> [TunnelID: UnderlayPath] {
        try read { $0.paths(of: tunnels) }
    }

    func apply(_ plans: [TunnelPlan]) -> [Result<AppliedLink?, TunnelProblem>] {
        let (results, afterApply) = state.withLock { state in
            state.applied.append(plans)
            let refusals = plans.map { state.refuse($0) }
            var results = state.host.apply(zip(plans, refusals).filter { $1 == nil }.map(\.0))[...]
            let all = refusals.map { $0.map { .failure($0) } ?? results.removeFirst() }
            return (all, state.afterApply)
        }
        afterApply()
        return results
    }

    func forget() {}
    let hasMoreToSee = false

    func newlyLoadedModules() -> [String] { [] }

    func takeNotes() -> [ChangeNote] {
        state.withLock { state in
            defer { state.notes = [] }
            return state.notes
        }
    }

    private func read<Value: Sendable>(_ body: (ModelHost) -> Value) throws(TunnelProblem) -> Value {
        let result: Result<Value, TunnelProblem> = state.withLock { state in
            state.unreadable.map { .failure($0) } ?? .success(body(state.host))
        }
        return try result.get()
    }

    // MARK: - CounterSource

    func counters() throws(TunnelProblem) -> [Int32: LinkCounters] {
        state.withLock { state in
            state.samples += 1
            return state.counters
        }
    }
}

extension TunnelProblem {
    static let refused = TunnelProblem(
        .kernelRefused, "no", errno: "EINVAL", kernelMessage: "the kernel's words")
}
