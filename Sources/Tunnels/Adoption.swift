/// A link that isn't ours, as the tunnel that it would be.
public struct Adoption: Hashable, Sendable {
    /// Something about the link, in words, under the definition's member that it comes nearest to.
    public struct Note: Hashable, Sendable {
        public let field: String
        public let detail: String

        public init(_ field: String, _ detail: String) {
            self.field = field
            self.detail = detail
        }
    }

    /// nil where its name or remote can't be any tunnel's.
    public var definition: TunnelDefinition?
    /// Why it can't be adopted, each with what to do; none where it can.
    public var obstacles: [Note] = []
    /// What adopting it would change in the kernel.
    public var changes: [Note] = []
    /// What stays as it is, and isn't seen to.
    public var unmanaged: [Note] = []
    /// Those that would become ours.
    public var routes: [UnmanagedTunnel.Route] = []
}

extension Adoption {
    /// - Parameters:
    ///   - plane: what carries packets here.
    ///   - tunnels: what other tunnels have.
    public init(of found: UnmanagedTunnel, on plane: DataPlaneKind, besides tunnels: TakenPlaces) {
        noteRoutes(of: found)
        definition = Self.definition(of: found, routes: routes.map(\.route))
        if plane != .kernel {
            let detail =
                "this daemon's tunnels are carried by eBPF programs, and a link of the kernel's ipip can't be; start "
                + "tunneld with --data-plane kernel."
            obstacles.append(Note("data_plane", detail))
        }
        obstacles += Self.obstacles(in: found)
        if let definition {
            obstacles += definition.violations().map { Note(String($0.field), $0.detail) }
            obstacles += tunnels.obstacles(to: definition)
            if let problem = found.swallowed(by: definition) { obstacles.append(Note("routes", problem.detail)) }
        }
        noteChanges(of: found)
        noteRest(of: found)
    }

    private static func definition(of found: UnmanagedTunnel, routes: [TunnelRoute]) -> TunnelDefinition? {
        guard let parameters = found.link.parameters, let remote = parameters.remote,
            let name = try? InterfaceName(found.link.name)
        else { return nil }
        var definition = TunnelDefinition(name: name, remote: remote)
        definition.local = parameters.local
        definition.addresses = found.addresses
        definition.routes = found.link.isUp ? routes : []
        let followed = found.path?.mtu(inside: definition.kind)
        definition.mtu = found.link.mtu == followed ? nil : found.link.mtu
        definition.ttl = parameters.ttl
        definition.tos = parameters.tos
        definition.pmtudisc = parameters.pmtudisc
        definition.underlay = found.underlay.flatMap { try? InterfaceName($0) }
        definition.fwmark = parameters.fwmark == 0 ? nil : parameters.fwmark
        definition.enabled = found.link.isUp
        return definition
    }

    // MARK: - What can't be

    private static func obstacles(in found: UnmanagedTunnel) -> [Note] {
        var notes: [Note] = []
        do {
            _ = try InterfaceName(found.link.name)
        } catch {
            let isFallback = found.link.name == "tunl0"
            let detail =
                isFallback
                ? "tunl0 is ipip's fallback device, which takes what no other tunnel matches; it belongs to the kernel."
                : "the name can't be a tunnel's: rename the link, to 1 to 15 of a-z, A-Z, 0-9, '_', '.' and '-'."
            notes.append(Note("name", detail))
        }
        let isExternal = found.peculiarities.contains(.external)
        if found.link.parameters?.remote == nil, !isExternal {
            notes.append(Note("remote", "it is any: the link takes packets from every host; give it one remote."))
        }
        if let underlay = found.underlay, (try? InterfaceName(underlay)) == nil {
            notes.append(Note("underlay", "\(underlay) can't be an underlay; rename it, or bind the link to another."))
        }
        return notes + found.peculiarities.compactMap(\.obstacle)
    }

    // MARK: - What would change, and what wouldn't

    private mutating func noteRoutes(of found: UnmanagedTunnel) {
        for route in found.routes where route.protocol != RouteProtocols.kernel {
            let known = [RouteProtocols.boot, RouteProtocols.static, RouteProtocols.tunneld]
            if !route.extras.isEmpty {
                let extras = route.extras.joined(separator: " ")
                unmanaged.append(Note("routes", "\(route.route) \(extras): a tunnel's routes have none of that."))
            } else if !known.contains(route.protocol) {
                let detail = "\(route.route) belongs to whoever makes routes with protocol \(route.protocol)."
                unmanaged.append(Note("routes", detail))
            } else {
                routes.append(route)
            }
        }
    }

    private mutating func noteChanges(of found: UnmanagedTunnel) {
        changes.append(Note("group", "\(found.group) becomes tunneld's."))
        let alias = found.alias.isEmpty ? "none" : "\"\(found.alias)\""
        changes.append(Note("alias", "\(alias) becomes tunneld's."))
        for route in routes where route.protocol != RouteProtocols.tunneld {
            let numbers = "protocol \(route.protocol) becomes \(RouteProtocols.tunneld)"
            changes.append(Note("routes", "\(route.route): \(numbers)."))
        }
    }

    private mutating func noteRest(of found: UnmanagedTunnel) {
        for address in found.specialAddresses {
            let detail = "\(address) has a lifetime or no route of its own; tunneld would give it back without that."
            unmanaged.append(Note("addresses", detail))
        }
        if found.addressesOfIPv6 > 0 {
            unmanaged.append(Note("addresses", "\(found.addressesOfIPv6) of IPv6, which ipip doesn't carry."))
        }
        if let master = found.master { unmanaged.append(Note("master", "the link belongs to \(master).")) }
        if found.peculiarities.contains(.innerProtocol(0)) {
            let detail =
                "it is any, so the link carries MPLS too, as all do that `ip link add` makes; a link that tunneld makes "
                + "in its place, if it is deleted, carries IPv4 alone."
            unmanaged.append(Note("mode", detail))
        }
    }
}

extension UnmanagedTunnel.Peculiarity {
    /// nil where it doesn't stand in the way.
    fileprivate var obstacle: Adoption.Note? {
        switch self {
        case .external:
            Adoption.Note("external", "its endpoints come with each packet (collect metadata); a tunnel has one pair.")
        case .encapsulation(let kind):
            Adoption.Note("encap", "its packets travel in UDP (\(kind)), which a tunnel can't say; switch that off.")
        // IPv4 among others.
        case .innerProtocol(0): nil
        case .innerProtocol(let number):
            Adoption.Note("mode", "it carries no IPv4, but protocol \(number); make it of mode ipip.")
        case .boundElsewhere:
            Adoption.Note(
                "local",
                "its outer packets travel in another network namespace, where it was made; make it in this one.")
        case .underlayMissing(let index):
            Adoption.Note("underlay", "it is bound to link number \(index), which isn't in this network namespace.")
        case .unknown: Adoption.Note("kind", "it has settings that this build of tunneld doesn't know.")
        }
    }
}

extension UnmanagedTunnel {
    /// As a create would be refused: outer packets would go into the tunnel again.
    fileprivate func swallowed(by definition: TunnelDefinition) -> TunnelProblem? {
        guard let prefix = definition.prefixAroundRemote else { return nil }
        if let path, path.remains(beside: prefix, by: link.ifindex) { return nil }
        return .routeSwallowsRemote(prefix, remote: definition.remote)
    }
}

extension Violation {
    /// The member of the definition.
    fileprivate var field: Substring { pointer.dropFirst().prefix { $0 != "/" } }
}

/// What tunnels have that only one can have.
public struct TakenPlaces: Sendable {
    private struct Endpoints: Hashable {
        let local: IPv4Address?
        let remote: IPv4Address
        let underlay: InterfaceName?

        init(_ definition: TunnelDefinition) {
            local = definition.local
            remote = definition.remote
            underlay = definition.underlay
        }
    }

    private var names: Set<InterfaceName> = []
    private var endpoints: [Endpoints: InterfaceName] = [:]
    private var addresses: [[IPv4Address]: InterfaceName] = [:]

    public init(_ definitions: some Sequence<TunnelDefinition>) {
        for definition in definitions {
            names.insert(definition.name)
            endpoints[Endpoints(definition)] = definition.name
            for address in definition.addresses { addresses[Self.ends(of: address)] = definition.name }
        }
    }

    private static func ends(of address: InterfaceAddress) -> [IPv4Address] {
        [address.local, address.peer ?? address.local]
    }

    fileprivate func obstacles(to definition: TunnelDefinition) -> [Adoption.Note] {
        var notes: [Adoption.Note] = []
        if names.contains(definition.name) {
            let detail = "a tunnel of this name is stored, which has no link or another one; delete or rename it."
            notes.append(Adoption.Note("name", detail))
        }
        if let holder = endpoints[Endpoints(definition)] {
            notes.append(Adoption.Note("remote", "the tunnel \(holder) has the same local, remote and underlay."))
        }
        for address in definition.addresses {
            guard let holder = addresses[Self.ends(of: address)] else { continue }
            notes.append(Adoption.Note("addresses", "the tunnel \(holder) has \(address) too; take it away there."))
        }
        return notes
    }
}
