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
        var reasons: [Int32: [DropReason: UInt64]] = [:]
        var countersProblem: TunnelProblem?
        /// Links that could become tunnels, by name.
        var unmanaged: [String: UnmanagedTunnel] = [:]
    }

    let state = Mutex(State())

    func isOurMaking(_ ifindex: Int32) -> Bool { true }

    func counters() throws(TunnelProblem) -> CounterTable {
        let state = state.withLock { $0 }
        if let problem = state.countersProblem { throw problem }
        var table = CounterTable()
        for (ifindex, counters) in state.counters { table.append(counters, of: ifindex) }
        table.reasons = state.reasons
        return table
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

    func unmanagedTunnel(named name: String) throws(TunnelProblem) -> UnmanagedTunnel? {
        kernel.state.withLock { $0.unmanaged[name] }
    }

    func handOver(_ handover: Handover) throws(TunnelProblem) {
        kernel.state.withLock { $0.handOver(handover) }
    }

    func isOurMaking(_ ifindex: Int32) -> Bool { true }

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
    fileprivate mutating func handOver(_ handover: Handover) {
        switch handover.alias {
        case .tunnel(let id)?:
            guard let found = unmanaged.values.first(where: { $0.link.ifindex == handover.ifindex }) else { return }
            unmanaged[found.link.name] = nil
            links[id] = found.link
            links[id]?.owner = id
            links[id]?.addresses = Set(found.addresses)
            links[id]?.routes = Set(handover.routes.map(\.route))
            counters[handover.ifindex] = LinkCounters()
        case .text?: links = links.filter { $0.value.ifindex != handover.ifindex }
        case nil: break
        }
    }

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
