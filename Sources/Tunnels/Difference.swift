/// One way in which a link differs from its tunnel's definition.
public enum Difference: Hashable, Sendable {
    case linkMissing
    /// Half of the mark by which the link is known as ours is gone.
    case mark(MarkRemains)
    case name(desired: String, observed: String)
    case parameter(field: String, desired: String, observed: String)
    /// What carries the link's packets is gone.
    case programs
    case mtu(desired: Int, observed: Int)
    case up(desired: Bool)
    case addressMissing(InterfaceAddress)
    case addressExtra(InterfaceAddress)
    case routeMissing(TunnelRoute)
    case routeExtra(TunnelRoute)

    /// For people: the definition's field, what it should be, what it is.
    public var summary: (field: String, desired: String, observed: String) {
        switch self {
        case .linkMissing: ("link", "present", "absent")
        case .mark(.alias(_, let group)): ("group", "tunneld's", "\(group)")
        case .mark(.whole): ("link", "made by tunneld", "adopted")
        case .mark(.group(let alias)): ("alias", "tunneld's", alias)
        case .name(let desired, let observed): ("name", desired, observed)
        case .parameter(let field, let desired, let observed): (field, desired, observed)
        case .programs: ("programs", "attached", "missing")
        case .mtu(let desired, let observed): ("mtu", "\(desired)", "\(observed)")
        case .up(let desired): ("enabled", "\(desired)", "\(!desired)")
        case .addressMissing(let address): ("addresses", "\(address)", "absent")
        case .addressExtra(let address): ("addresses", "absent", "\(address)")
        case .routeMissing(let route): ("routes", "\(route)", "absent")
        case .routeExtra(let route): ("routes", "absent", "\(route)")
        }
    }
}

extension TunnelRoute: CustomStringConvertible {
    public var description: String { "\(to) metric \(metric)" }
}

extension HeaderField: CustomStringConvertible {
    public var description: String {
        switch self {
        case .inherit: "inherit"
        case .fixed(let value): "\(value)"
        }
    }
}

/// How a link differs from what is wanted of it.
///
/// - Parameters:
///   - parameters: the definition's, with the underlay's ifindex found.
///   - followedMTU: what the MTU should be where the definition leaves it to the underlay; nil if unknown.
public func differences(
    between definition: TunnelDefinition, parameters: LinkParameters, followedMTU: Int?,
    and link: ObservedLink?
) -> [Difference] {
    guard let link else { return [.linkMissing] }
    var found = link.remains.map { [Difference.mark($0)] } ?? []
    if link.name != definition.name.text {
        found.append(.name(desired: definition.name.text, observed: link.name))
    }
    found += parameterDifferences(desired: parameters, observed: link.parameters)
    if !link.isWhole { found.append(.programs) }
    if let mtu = definition.mtu ?? followedMTU, mtu != link.mtu {
        found.append(.mtu(desired: mtu, observed: link.mtu))
    }
    let desiredAddresses = Set(definition.addresses)
    if link.addresses != desiredAddresses {
        // What is too much goes first: an address can stand in the way of its own corrected form.
        let extras = link.addresses.subtracting(desiredAddresses).sorted { $0.description < $1.description }
        found += extras.map { .addressExtra($0) }
        found += definition.addresses.filter { !link.addresses.contains($0) }.map { .addressMissing($0) }
    }
    if link.isUp != definition.enabled { found.append(.up(desired: definition.enabled)) }
    // A link that is down has no routes: the kernel took them away, and gives them no place.
    let desiredRoutes = definition.enabled ? definition.routes : []
    if link.routes != Set(desiredRoutes) {
        let extraRoutes = link.routes.subtracting(desiredRoutes).sorted { $0.description < $1.description }
        found += extraRoutes.map { .routeExtra($0) }
        found += desiredRoutes.filter { !link.routes.contains($0) }.map { .routeMissing($0) }
    }
    return found
}

private func parameterDifferences(desired: LinkParameters, observed: LinkParameters?) -> [Difference] {
    guard desired != observed else { return [] }
    func text(_ address: IPv4Address??) -> String { (address ?? nil)?.description ?? "any" }
    let rows: [(String, String, String)] = [
        ("local", text(desired.local), text(observed?.local)),
        ("remote", text(desired.remote), text(observed?.remote)),
        ("underlay", "\(desired.underlay)", "\(observed?.underlay ?? 0)"),
        ("ttl", "\(desired.ttl)", observed.map { "\($0.ttl)" } ?? "none"),
        ("tos", "\(desired.tos)", observed.map { "\($0.tos)" } ?? "none"),
        ("pmtudisc", "\(desired.pmtudisc)", observed.map { "\($0.pmtudisc)" } ?? "none"),
        ("fwmark", "\(desired.fwmark)", "\(observed?.fwmark ?? 0)"),
    ]
    return rows.filter { $0.1 != $0.2 }.map { .parameter(field: $0.0, desired: $0.1, observed: $0.2) }
}
