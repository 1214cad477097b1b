import ModelHost
import Synchronization
import Tunnels

/// A data plane in memory: the kernel's rules are `ModelHost`'s; refusals and other people's changes are the test's.
final class FakeDataPlane: DataPlane, CounterSource {
    struct State: Sendable {
        var host = ModelHost()
        /// What the kernel won't do.
        var refuse: @Sendable (TunnelPlan) -> TunnelProblem? = { _ in nil }
        /// What the kernel won't hand over.
        var refuseHandover: @Sendable (Handover) -> TunnelProblem? = { _ in nil }
        var handedOver: [Handover] = []
        /// Called by the writer after each apply.
        var afterApply: @Sendable () -> Void = {}
        /// The kernel can't be read.
        var unreadable: TunnelProblem?
        /// What the kernel told of others' changes.
        var notes: [ChangeNote] = []
        /// The plans of each call of `apply`.
        var applied: [[TunnelPlan]] = []
        var counters: [Int32: LinkCounters] = [:]
        /// The counters can't be read.
        var unreadableCounters: TunnelProblem?
        var samples = 0
    }

    private let state = Mutex(State())
    let kind: DataPlaneKind

    init(kind: DataPlaneKind = .kernel) {
        self.kind = kind
    }

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
            return ObservedState(links: links, paths: host.observed(for: [tunnel]).paths, claimedBy: [tunnel])
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

    func unmanagedTunnel(named name: String) throws(TunnelProblem) -> UnmanagedTunnel? {
        try read { $0.unmanagedTunnel(named: name) }
    }

    func handOver(_ handover: Handover) throws(TunnelProblem) {
        let problem = state.withLock { state in
            state.handedOver.append(handover)
            if let problem = state.refuseHandover(handover) { return problem as TunnelProblem? }
            state.host.handOver(handover)
            return nil
        }
        if let problem { throw problem }
    }

    func isOurMaking(_ ifindex: Int32) -> Bool { host.isOurMaking(ifindex) }

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

    func counters() throws(TunnelProblem) -> CounterTable {
        let result: Result<CounterTable, TunnelProblem> = state.withLock { state in
            if let problem = state.unreadableCounters { return .failure(problem) }
            state.samples += 1
            var table = CounterTable()
            for (ifindex, counters) in state.counters { table.append(counters, of: ifindex) }
            return .success(table)
        }
        return try result.get()
    }
}

extension TunnelProblem {
    static let refused = TunnelProblem(
        .kernelRefused, "no", errno: "EINVAL", kernelMessage: "the kernel's words")
}
