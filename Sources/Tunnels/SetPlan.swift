/// What one tunnel's link shall become.
public struct LinkTarget: Sendable {
    public let id: TunnelID
    /// For errors.
    public let name: String
    public let former: Tunnel?
    /// nil for no link.
    public let wanted: Tunnel?
    /// The tunnel's link as far as known; nil where there is none.
    public let ifindex: Int32?

    public init(_ item: SetChange.Item, id: TunnelID, ifindex: Int32?) {
        self.init(id: id, former: item.former, wanted: item.wanted, ifindex: ifindex)
    }

    public init(id: TunnelID, former: Tunnel?, wanted: Tunnel?, ifindex: Int32?) {
        self.id = id
        self.former = former
        self.wanted = wanted
        self.ifindex = ifindex
        name = (wanted ?? former)?.name.text ?? ""
    }
}

/// The plans that bring several links to their definitions together, each with its target's position.
public struct SetPlan: Sendable {
    /// In order: what frees names, endpoints and routes, then changes, then creates.
    public var plans: [(target: Int, plan: TunnelPlan)] = []
    /// Deletes that nothing waits for: to be done when all else stands, so that a refusal costs no link.
    public var last: [(target: Int, plan: TunnelPlan)] = []
    /// Links that are as they should be.
    public var settled: [(target: Int, link: ObservedLink?)] = []
    /// Targets whose underlay is one of the others' links, to be planned when that is made.
    public var waiting: [Int] = []
    /// What no operation can close.
    public var refusals: [(target: Int, problem: TunnelProblem)] = []
}

/// Plans for targets together: they may swap names, endpoints and routes among each other, or hand them on.
///
/// A link that stands in another target's place is taken away and made anew in its own; two in each other's place
/// couldn't be moved one after another.
///
/// - Parameters:
///   - open: the positions of those that aren't settled yet.
///   - observed: may lack the links of targets that are only created or deleted.
public func setPlan(
    for targets: [LinkTarget], open: [Int], in observed: ObservedState, on plane: DataPlaneKind
) -> SetPlan {
    var result = SetPlan()
    let places = Places(of: open.lazy.map { targets[$0] })
    let position = Dictionary(open.map { (targets[$0].id, $0) }) { first, _ in first }

    // Links that make room for others.
    var removed: Set<TunnelID> = []
    let misplaced = observed.links.isEmpty ? [] : evictions(from: observed, for: places.tunnels, on: plane)
    for plan in misplaced {
        guard let target = position[plan.tunnel], removed.insert(plan.tunnel).inserted else { continue }
        result.plans.append((target, plan))
    }
    var remaining = observed
    if !removed.isEmpty {
        let links = observed.links.filter { link in link.owner.map { !removed.contains($0) } ?? true }
        remaining = ObservedState(links: links, paths: observed.paths)
    }

    var changes: [(target: Int, plan: TunnelPlan)] = []
    var creates: [(target: Int, plan: TunnelPlan)] = []
    for place in open {
        let target = targets[place]
        guard let wanted = target.wanted else {
            if removed.contains(target.id) { continue }
            guard let ifindex = observed.link(of: target.id)?.ifindex ?? target.ifindex else {
                result.settled.append((place, nil))
                continue
            }
            let plan = TunnelPlan.delete(target.id, name: target.name, ifindex: ifindex)
            if places.isWanted(target.former) {
                result.plans.append((place, plan))
            } else {
                result.last.append((place, plan))
            }
            continue
        }
        do throws(TunnelProblem) {
            let plan = try plan(for: wanted, in: remaining)
            if plan.ifindex == nil {
                creates.append((place, plan))
            } else if plan.operations.isEmpty {
                result.settled.append((place, remaining.link(of: target.id)))
            } else {
                changes.append((place, plan))
            }
        } catch {
            if error.code == .underlayMissing, let underlay = wanted.definition.underlay,
                places.names.contains(underlay)
            {
                result.waiting.append(place)
            } else {
                result.refusals.append((place, error))
            }
        }
    }
    result.plans += releases(from: &changes, for: creates, targets: targets, in: remaining)
    result.plans += changes + creates
    return result
}

/// What the targets want that only one can have.
private struct Places {
    var tunnels: [Tunnel] = []
    var names: Set<InterfaceName> = []
    private var values: Set<UniqueValue> = []
    private var routes: Set<TunnelRoute> = []

    init(of targets: some Sequence<LinkTarget>) {
        for target in targets {
            guard let wanted = target.wanted else { continue }
            tunnels.append(wanted)
            names.insert(wanted.name)
            values.formUnion(wanted.definition.uniqueValues.prefix(2))
            if wanted.definition.enabled { routes.formUnion(wanted.definition.routes) }
        }
    }

    /// Whether something of a tunnel that goes is wanted by one that stays.
    func isWanted(_ tunnel: Tunnel?) -> Bool {
        guard let tunnel, !tunnels.isEmpty else { return false }
        return !values.isDisjoint(with: tunnel.definition.uniqueValues.prefix(2))
            || !routes.isDisjoint(with: tunnel.definition.routes)
    }
}

/// Takes out of the changes, to be done before them, the removal of routes that other links get: the kernel has each
/// once.
private func releases(
    from changes: inout [(target: Int, plan: TunnelPlan)], for creates: [(target: Int, plan: TunnelPlan)],
    targets: [LinkTarget], in observed: ObservedState
) -> [(target: Int, plan: TunnelPlan)] {
    let holders = changes.indices.filter { observed.link(of: targets[changes[$0].target].id)?.routes.isEmpty == false }
    guard !holders.isEmpty else { return [] }
    var added: Set<TunnelRoute> = []
    for (_, plan) in changes + creates {
        for case .addRoute(let route) in plan.operations { added.insert(route) }
    }
    guard !added.isEmpty else { return [] }
    var releases: [(target: Int, plan: TunnelPlan)] = []
    for place in holders {
        let (target, plan) = changes[place]
        guard let wanted = targets[target].wanted, let link = observed.link(of: wanted.id) else { continue }
        let own = wanted.definition.enabled ? Set(wanted.definition.routes) : []
        let contested = link.routes.intersection(added).subtracting(own)
        guard !contested.isEmpty else { continue }
        let removals = contested.sorted { $0.description < $1.description }.map { Operation.removeRoute($0) }
        releases.append((target, plan.with(removals)))
        changes[place].plan = plan.with(plan.operations.filter { !removals.contains($0) })
    }
    return releases
}

extension TunnelPlan {
    fileprivate func with(_ operations: [Operation]) -> TunnelPlan {
        TunnelPlan(
            tunnel: tunnel, name: name, ifindex: ifindex, differences: differences, operations: operations)
    }
}
