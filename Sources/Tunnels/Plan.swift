/// One step on one link. A data plane turns it into messages.
public enum Operation: Hashable, Sendable {
    /// Makes the link with all that one message can carry: parameters, MTU (nil leaves it to the kernel), up.
    case create(name: InterfaceName, kind: TunnelKind, parameters: LinkParameters, mtu: Int?, up: Bool)
    case change(kind: TunnelKind, parameters: LinkParameters)
    /// Marks the link as the plan's tunnel's.
    case mark
    /// Only a link that is down can be renamed by every kernel we support.
    case rename(to: InterfaceName)
    case setMTU(Int)
    case setUp(Bool)
    case addAddress(InterfaceAddress)
    case removeAddress(InterfaceAddress)
    case addRoute(TunnelRoute)
    case removeRoute(TunnelRoute)
    case delete
}

/// What brings one tunnel's link to its definition. The operations go in order; an empty list is no change.
public struct TunnelPlan: Hashable, Sendable {
    public let tunnel: TunnelID
    /// For errors: the link's name as the user knows it.
    public let name: String
    /// The link there is; nil where the first operation makes it.
    public let ifindex: Int32?
    /// What the operations close; empty for a delete.
    public let differences: [Difference]
    public let operations: [Operation]

    public init(
        tunnel: TunnelID, name: String, ifindex: Int32?, differences: [Difference] = [],
        operations: [Operation]
    ) {
        self.tunnel = tunnel
        self.name = name
        self.ifindex = ifindex
        self.differences = differences
        self.operations = operations
    }

    /// Takes a link away; its addresses and routes go with it.
    public static func delete(_ tunnel: TunnelID, name: String, ifindex: Int32) -> TunnelPlan {
        TunnelPlan(tunnel: tunnel, name: name, ifindex: ifindex, operations: [.delete])
    }
}

/// The plan for one tunnel.
///
/// - Throws: a problem that no operation can close: a name or a pair of endpoints that a link has which isn't
///   ours, or an underlay that doesn't exist.
public func plan(for tunnel: Tunnel, in observed: ObservedState) throws(TunnelProblem) -> TunnelPlan {
    let definition = tunnel.definition
    var underlay: Int32 = 0
    if let name = definition.underlay {
        guard let link = observed.link(named: name.text) else { throw .underlayMissing(name) }
        underlay = link.ifindex
    }
    let parameters = LinkParameters(definition, underlay: underlay)
    try refuseForeignLinks(of: tunnel, parameters: parameters, in: observed)
    let link = observed.link(of: tunnel.id)
    let followed = observed.paths[tunnel.id]?.mtu(inside: definition.kind)
    let found = differences(
        between: definition, parameters: parameters, followedMTU: followed, and: link)
    let operations =
        link == nil
        ? creation(of: definition, parameters: parameters)
        : closing(found, definition: definition, parameters: parameters)
    return TunnelPlan(
        tunnel: tunnel.id, name: definition.name.text, ifindex: link?.ifindex, differences: found,
        operations: operations)
}

/// The operations that make a tunnel's link where there is none.
public func creation(of definition: TunnelDefinition, parameters: LinkParameters) -> [Operation] {
    let create = Operation.create(
        name: definition.name, kind: definition.kind, parameters: parameters, mtu: definition.mtu,
        up: definition.enabled)
    let routes = definition.enabled ? definition.routes : []
    return [create] + definition.addresses.map { .addAddress($0) } + routes.map { .addRoute($0) }
}

/// Deletes for the links that bear our mark and belong to no tunnel, and for a tunnel's second link.
public func prune(_ observed: ObservedState, keeping tunnels: Set<TunnelID>) -> [TunnelPlan] {
    observed.links.compactMap { link in
        guard let owner = link.owner else { return nil }
        let isWanted = tunnels.contains(owner) && observed.link(of: owner)?.ifindex == link.ifindex
        return isWanted ? nil : .delete(owner, name: link.name, ifindex: link.ifindex)
    }
}

/// Deletes for links of ours that stand in another tunnel's place, under its name or with its endpoints, and for those
/// of another data plane. They are made again in their own; two in each other's place couldn't be moved one after
/// another.
public func evictions(
    from observed: ObservedState, for tunnels: [Tunnel], on plane: DataPlaneKind
) -> [TunnelPlan] {
    func underlay(of tunnel: Tunnel) -> Int32 {
        tunnel.definition.underlay.flatMap { observed.link(named: $0.text) }?.ifindex ?? 0
    }
    func isInPlace(_ link: ObservedLink, _ tunnel: Tunnel) -> Bool {
        let parameters = LinkParameters(tunnel.definition, underlay: underlay(of: tunnel))
        return link.name == tunnel.name.text && link.parameters?.endpoints == parameters.endpoints
            && link.kind == plane.linkKind
    }
    // As nearly always; then there is no need for tables of who belongs where.
    let placed = tunnels.count { tunnel in observed.link(of: tunnel.id).map { isInPlace($0, tunnel) } ?? false }
    if placed == observed.links.count(where: { $0.owner != nil }) { return [] }

    var names: [String: TunnelID] = [:]
    var endpoints: [LinkParameters.Endpoints: TunnelID] = [:]
    for tunnel in tunnels {
        names[tunnel.name.text] = tunnel.id
        endpoints[LinkParameters(tunnel.definition, underlay: underlay(of: tunnel)).endpoints] = tunnel.id
    }
    return observed.links.compactMap { link in
        guard let owner = link.owner else { return nil }
        let holder = names[link.name] ?? owner
        let peer = link.parameters.flatMap { endpoints[$0.endpoints] } ?? owner
        return holder == owner && peer == owner && link.kind == plane.linkKind
            ? nil : .delete(owner, name: link.name, ifindex: link.ifindex)
    }
}

private func refuseForeignLinks(
    of tunnel: Tunnel, parameters: LinkParameters, in observed: ObservedState
) throws(TunnelProblem) {
    if let link = observed.link(named: tunnel.name.text), link.owner == nil {
        throw .nameTaken(by: link)
    }
    if let link = observed.link(with: parameters.endpoints), link.owner == nil {
        throw .endpointsTaken(by: link)
    }
}

private func closing(
    _ differences: [Difference], definition: TunnelDefinition, parameters: LinkParameters
) -> [Operation] {
    var operations: [Operation] = []
    var isChanged = false
    var wasDown = false
    for difference in differences {
        switch difference {
        case .linkMissing: break
        case .mark: operations.append(.mark)
        case .name:
            // Going down takes the routes away, so all of them are added again below.
            operations += [.setUp(false), .rename(to: definition.name)]
            wasDown = true
        case .parameter, .programs:
            if !isChanged { operations.append(.change(kind: definition.kind, parameters: parameters)) }
            isChanged = true
        case .mtu(let desired, _): operations.append(.setMTU(desired))
        case .up(let desired): operations.append(.setUp(desired))
        case .addressMissing(let address): operations.append(.addAddress(address))
        case .addressExtra(let address): operations.append(.removeAddress(address))
        case .routeMissing(let route): if !wasDown { operations.append(.addRoute(route)) }
        case .routeExtra(let route): if !wasDown { operations.append(.removeRoute(route)) }
        }
    }
    if wasDown, definition.enabled {
        if operations.last != .setUp(true) { operations.append(.setUp(true)) }
        operations += definition.routes.map { .addRoute($0) }
    }
    return operations
}

extension TunnelProblem {
    public static func nameTaken(by link: ObservedLink) -> TunnelProblem {
        let kind = link.kind.isEmpty ? "link" : "link of kind \(link.kind)"
        return TunnelProblem(
            .nameTaken,
            "\(link.name) is a \(kind) (ifindex \(link.ifindex)) that \(maker(of: link)); choose another name, or remove it."
        )
    }

    public static func endpointsTaken(by link: ObservedLink) -> TunnelProblem {
        let local = link.parameters?.local?.description ?? "any"
        let remote = link.parameters?.remote?.description ?? "any"
        return TunnelProblem(
            .endpointsTaken,
            "the link \(link.name) (ifindex \(link.ifindex)), which \(maker(of: link)), already joins \(local) to "
                + "\(remote); remove it, or choose other endpoints or an underlay.")
    }

    private static func maker(of link: ObservedLink) -> String {
        link.owner == nil ? "tunneld didn't make" : "tunneld made for another tunnel"
    }

    /// The kernel says that the endpoints are taken, and no link here has them.
    public static func endpointsElsewhere(_ parameters: LinkParameters) -> TunnelProblem {
        let local = parameters.local?.description ?? "any"
        let remote = parameters.remote?.description ?? "any"
        return TunnelProblem(
            .endpointsTaken,
            "a link that joins \(local) to \(remote) was made in this network namespace and moved to another one, where "
                + "it keeps these endpoints; delete it there, or choose others.", errno: "EEXIST")
    }

    public static func underlayMissing(_ name: InterfaceName) -> TunnelProblem {
        TunnelProblem(
            .underlayMissing, "there is no link \(name); name an existing one as underlay, or null.")
    }
}
