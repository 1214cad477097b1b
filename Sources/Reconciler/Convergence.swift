internal import Tunnels

/// What the kernel shall have of one tunnel, and what it is known to have.
struct Target {
    let id: TunnelID
    let name: String
    /// nil for no link.
    let wanted: Tunnel?
    /// The tunnel's link; nil where there is none.
    let ifindex: Int32?
}

extension Reconciler {
    private enum Next {
        case done(AppliedLink?)
        case carryOut(TunnelPlan)
    }

    /// Brings the kernel to the targets, all in one batch. What changes a link is looked at again and finished
    /// where the kernel did more than it was asked (deleting an address takes its secondaries along).
    ///
    /// - Returns: for each target its link, nil where none was wanted, or why it couldn't be.
    func converge(_ targets: [Target]) -> [Result<AppliedLink?, TunnelProblem>] {
        var results: [Int: Result<AppliedLink?, TunnelProblem>] = [:]
        var open = Array(targets.indices)
        for _ in 0..<3 where !open.isEmpty {
            var plans: [(position: Int, plan: TunnelPlan)] = []
            for position in open {
                do throws(TunnelProblem) {
                    switch try next(for: targets[position]) {
                    case .done(let link): results[position] = .success(link)
                    case .carryOut(let plan): plans.append((position, plan))
                    }
                } catch {
                    results[position] = .failure(error)
                }
            }
            guard !plans.isEmpty else { break }
            open = []
            for ((position, plan), result) in zip(plans, plane.apply(plans.map(\.plan))) {
                let isChange = plan.ifindex != nil && targets[position].wanted != nil
                if isChange, case .success = result {
                    open.append(position)
                } else {
                    results[position] = result
                }
            }
        }
        return targets.indices.map { position in
            results[position] ?? .failure(.unsettled(targets[position].name))
        }
    }

    private func next(for target: Target) throws(TunnelProblem) -> Next {
        guard let wanted = target.wanted else {
            guard let ifindex = target.ifindex else { return .done(nil) }
            return .carryOut(.delete(target.id, name: target.name, ifindex: ifindex))
        }
        // A new tunnel without an underlay needs no look: the kernel refuses a name or endpoints that are taken.
        let isKnown = target.ifindex == nil && wanted.definition.underlay == nil
        let state =
            try isKnown ? ObservedState(links: []) : plane.observe(wanted, ifindex: target.ifindex ?? 0)
        let plan = try plan(for: wanted, in: state)
        guard plan.operations.isEmpty, let link = state.link(of: wanted.id) else { return .carryOut(plan) }
        return .done(AppliedLink(link))
    }

    /// Refuses a definition whose own address or route would carry its outer packets back into the tunnel.
    func refuseSwallowing(_ tunnel: Tunnel) throws(WriteRefusal) {
        guard let prefix = tunnel.definition.prefixAroundRemote else { return }
        do throws(TunnelProblem) {
            let path = try plane.paths(of: [tunnel])[tunnel.id]
            guard swallows(tunnel, prefix, path) else { return }
            throw .routeSwallowsRemote(prefix, remote: tunnel.definition.remote)
        } catch {
            throw .host(error)
        }
    }

    /// Whether `prefix`, around the remote, takes the outer packets from the way that they have.
    func swallows(_ tunnel: Tunnel, _ prefix: IPv4Prefix, _ path: UnderlayPath?) -> Bool {
        guard let path else { return true }
        return !path.remains(beside: prefix, by: managed[tunnel.id]?.status.ifindex)
    }
}

extension TunnelProblem {
    static func unsettled(_ name: String) -> TunnelProblem {
        TunnelProblem(
            .kernelRefused, "\(name) still differs after three tries; something else keeps changing it.")
    }
}
