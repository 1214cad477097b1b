import Synchronization
import Tunnels

/// A kernel of values, behind the one seam.
final class FakeKernel: CounterSource {
    struct State {
        var links: [TunnelID: ObservedLink] = [:]
        var lastIfindex: Int32 = 10
        /// What the next plans for links of these names get.
        var refusals: [String: TunnelProblem] = [:]
        var counters: [Int32: LinkCounters] = [:]
        var countersProblem: TunnelProblem?
    }

    let state = Mutex(State())

    func counters() throws(TunnelProblem) -> [Int32: LinkCounters] {
        let (problem, counters) = state.withLock { ($0.countersProblem, $0.counters) }
        if let problem { throw problem }
        return counters
    }
}

final class FakePlane: DataPlane {
    let kind = DataPlaneKind.kernel
    private let kernel: FakeKernel

    init(_ kernel: FakeKernel) {
        self.kernel = kernel
    }

    func observe(for tunnels: [Tunnel]) throws(TunnelProblem) -> ObservedState { observed }

    func observe(_ tunnel: Tunnel, ifindex: Int32) throws(TunnelProblem) -> ObservedState { observed }

    func paths(of tunnels: [Tunnel]) throws(TunnelProblem) -> [TunnelID: UnderlayPath] { [:] }

    func forget() {}
    let hasMoreToSee = false

    func newlyLoadedModules() -> [String] { [] }

    func takeNotes() -> [ChangeNote] { [] }

    func apply(_ plans: [TunnelPlan]) -> [Result<AppliedLink?, TunnelProblem>] {
        plans.map { plan in
            kernel.state.withLock { state in
                if let refusal = state.refusals[plan.name] { return .failure(refusal) }
                for operation in plan.operations { state.carryOut(operation, for: plan.tunnel) }
                let link = state.links[plan.tunnel]
                return .success(link.map { AppliedLink(ifindex: $0.ifindex, mtu: $0.mtu, isUp: $0.isUp) })
            }
        }
    }

    private var observed: ObservedState {
        ObservedState(links: kernel.state.withLock { Array($0.links.values) })
    }
}

extension FakeKernel.State {
    fileprivate mutating func carryOut(_ operation: Operation, for tunnel: TunnelID) {
        switch operation {
        case .create(let name, let kind, let parameters, let mtu, let up):
            lastIfindex += 1
            links[tunnel] = ObservedLink(
                ifindex: lastIfindex, name: name.text, kind: kind.rawValue, owner: tunnel, isUp: up,
                mtu: mtu ?? 1480, parameters: parameters)
            counters[lastIfindex] = LinkCounters()
        case .mark: break
        case .change(_, let parameters): links[tunnel]?.parameters = parameters
        case .rename(let name): links[tunnel]?.name = name.text
        case .setMTU(let mtu): links[tunnel]?.mtu = mtu
        case .setUp(let isUp): links[tunnel]?.isUp = isUp
        case .addAddress(let address): links[tunnel]?.addresses.insert(address)
        case .removeAddress(let address): links[tunnel]?.addresses.remove(address)
        case .addRoute(let route): links[tunnel]?.routes.insert(route)
        case .removeRoute(let route): links[tunnel]?.routes.remove(route)
        case .delete: links[tunnel] = nil
        }
    }
}
