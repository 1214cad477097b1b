internal import Tunnels

/// What became of the links of a set.
struct SetLinks {
    /// By target; nil where there is none, or it wasn't come to.
    var links: [AppliedLink?]
    /// By target.
    var refusals: [Int: TunnelProblem] = [:]
    /// Whether the kernel was asked for any change.
    var isTouched = false

    init(count: Int) {
        links = Array(repeating: nil, count: count)
    }
}

extension Reconciler {
    /// Brings links to what is wanted of them: in as few batches as there are, it stops at the first refusal. What
    /// changes a link is looked at again and finished, as by `converge`.
    ///
    /// - Parameter isUndo: whether it goes on after a refusal, and the links there are aren't what the targets say.
    func bring(_ targets: [LinkTarget], isUndo: Bool = false) -> SetLinks {
        var result = SetLinks(count: targets.count)
        var open = Array(targets.indices)
        var last: [(target: Int, plan: TunnelPlan)] = []
        // Three for what the kernel does beyond what it is asked, the others for links that are others' underlay.
        for round in 0..<10 where !open.isEmpty {
            let plan: SetPlan
            do throws(TunnelProblem) {
                let observed = try look(at: targets, open, isUndo: isUndo || round > 0)
                plan = setPlan(for: targets, open: open, in: observed, on: plane.kind)
            } catch {
                for position in open { result.refusals[position] = error }
                return result
            }
            for (position, problem) in plan.refusals { result.refusals[position] = problem }
            if !result.refusals.isEmpty, !isUndo { return result }
            for (position, link) in plan.settled { result.links[position] = link.map { AppliedLink($0) } }
            last += plan.last
            let changed = carryOut(plan.plans, for: targets, &result)
            if !result.refusals.isEmpty, !isUndo { return result }
            open = plan.waiting + changed.sorted().filter { result.refusals[$0] == nil }
            if plan.plans.isEmpty { break }
        }
        for position in open { result.refusals[position] = unreached(targets[position]) }
        if result.refusals.isEmpty || isUndo { _ = carryOut(last, for: targets, &result) }
        return result
    }

    /// - Returns: the targets whose links were changed and are to be looked at again.
    private func carryOut(
        _ plans: [(target: Int, plan: TunnelPlan)], for targets: [LinkTarget], _ result: inout SetLinks
    ) -> Set<Int> {
        guard !plans.isEmpty else { return [] }
        result.isTouched = true
        if plans.contains(where: { $0.plan.operations == [.delete] && targets[$0.target].wanted != nil }) {
            countBeforeEnd()
        }
        var changed: Set<Int> = []
        for ((position, plan), outcome) in zip(plans, plane.apply(plans.map(\.plan))) {
            switch outcome {
            case .failure(let problem): result.refusals[position] = result.refusals[position] ?? problem
            case .success(let link):
                if plan.operations == [.delete] { continue }
                result.links[position] = link
                if plan.ifindex != nil { changed.insert(position) }
            }
        }
        return changed
    }

    private func unreached(_ target: LinkTarget) -> TunnelProblem {
        if let underlay = target.wanted?.definition.underlay, target.ifindex == nil {
            return .underlayMissing(underlay)
        }
        return .unsettled(target.name)
    }

    // MARK: - Looking

    /// What must be known of the kernel to plan. New tunnels without an underlay need no look, nor do deletes: the
    /// kernel refuses a name or endpoints that are taken.
    private func look(
        at targets: [LinkTarget], _ open: [Int], isUndo: Bool
    ) throws(TunnelProblem) -> ObservedState {
        let unknown = open.filter { position in
            let target = targets[position]
            return target.wanted.map { target.ifindex != nil || isUndo || $0.definition.underlay != nil } ?? false
        }
        guard unknown.count <= Self.looksAtOne else { return try lookAtAll(with: targets) }
        var links: [Int32: ObservedLink] = [:]
        var paths: [TunnelID: UnderlayPath] = [:]
        for position in unknown {
            guard let wanted = targets[position].wanted else { continue }
            let state = try plane.observe(wanted, ifindex: targets[position].ifindex ?? 0)
            for link in state.links {
                links[link.ifindex] = links[link.ifindex]?.owner == nil ? link : links[link.ifindex]
            }
            paths.merge(state.paths) { first, _ in first }
        }
        return ObservedState(links: links.values.sorted { $0.ifindex < $1.ifindex }, paths: paths)
    }

    /// Up to so many links are looked at one by one; for more, all are.
    private static let looksAtOne = 4

    func lookAtAll(with targets: [LinkTarget]) throws(TunnelProblem) -> ObservedState {
        let touched = Set(targets.map(\.id))
        let others = managed.values.lazy.map(\.tunnel).filter { !touched.contains($0.id) }
        return try plane.observe(for: others + targets.compactMap(\.wanted))
    }
}
