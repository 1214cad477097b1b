public import Tunnels

/// A host's links in memory, under the kernel's rules as far as plans depend on them. `KernelDataPlaneTests` holds
/// these rules against the real kernel.
public struct ModelHost: Sendable {
    /// The kernel's refusals, by their symbols.
    public enum Refusal: String, Error, Sendable {
        case exists = "EEXIST"
        case busy = "EBUSY"
        case invalid = "EINVAL"
        case networkDown = "ENETDOWN"
        case noDevice = "ENODEV"
        case addressNotAvailable = "EADDRNOTAVAIL"
        case notFound = "ESRCH"
    }

    /// A link with what `ObservedLink` has no place for.
    private struct Device: Sendable {
        var link: ObservedLink
        /// In the order they were added: the first of a subnet is its primary.
        var addresses: [InterfaceAddress] = []
        /// Not made by us: all of our mark on it doesn't make it ours.
        var isForeign = false
    }

    private var devices: [Int32: Device] = [:]
    /// The host's one routing table; each destination is there once for each metric.
    private var routes: [TunnelRoute: (ifindex: Int32, proto: UInt8)] = [:]
    private var nextIndex: Int32 = 1
    /// Of the way to every remote.
    public var pathMTU = 1500

    /// With a loopback, an Ethernet link and `ipip`'s fallback device.
    public init() {
        _ = addForeign(name: "lo", kind: "")
        _ = addForeign(name: "eth0", kind: "veth")
        _ = addForeign(
            name: "tunl0", kind: "ipip",
            parameters: LinkParameters(local: nil, remote: nil, pmtudisc: false), isUp: false)
    }

    /// A link that isn't ours.
    @discardableResult
    public mutating func addForeign(
        name: String, kind: String, parameters: LinkParameters? = nil, isUp: Bool = true
    ) -> Int32 {
        let link = ObservedLink(
            ifindex: nextIndex, name: name, kind: kind, isUp: isUp, mtu: 1500, parameters: parameters)
        let ifindex = add(link)
        devices[ifindex]?.isForeign = true
        return ifindex
    }

    @discardableResult
    private mutating func add(_ link: ObservedLink) -> Int32 {
        defer { nextIndex += 1 }
        var link = link
        link.ifindex = nextIndex
        devices[nextIndex] = Device(link: link)
        return nextIndex
    }

    /// All links, by ifindex.
    public var links: [ObservedLink] {
        devices.values.map { device in
            var link = device.link
            link.addresses = Set(device.addresses)
            link.routes = Set(ownRoutes(of: link.ifindex))
            if device.isForeign, let owner = link.owner { (link.owner, link.remains) = (nil, .whole(owner)) }
            return link
        }.sorted { $0.ifindex < $1.ifindex }
    }

    public func link(of tunnel: TunnelID) -> ObservedLink? {
        links.first { $0.owner == tunnel }
    }

    public func link(named name: String) -> ObservedLink? {
        links.first { $0.name == name }
    }

    public func observed(for tunnels: [Tunnel]) -> ObservedState {
        ObservedState(
            links: links, paths: paths(of: tunnels.filter { $0.definition.mtu == nil }), claimedBy: tunnels)
    }

    public func paths(of tunnels: [Tunnel]) -> [TunnelID: UnderlayPath] {
        let path = UnderlayPath(ifindex: 2, mtu: pathMTU, prefixLength: 24)
        return Dictionary(tunnels.map { ($0.id, path) }) { first, _ in first }
    }

    // MARK: - Changes

    public mutating func create(
        _ owner: TunnelID?, name: String, parameters: LinkParameters, mtu: Int? = nil, up: Bool = true
    ) throws(Refusal) -> Int32 {
        try check(parameters, for: nil)
        guard link(named: name) == nil else { throw .exists }
        return add(
            ObservedLink(
                ifindex: 0, name: name, kind: "ipip", owner: owner, isUp: up, mtu: mtu ?? pathMTU - 20,
                parameters: parameters))
    }

    private func check(_ parameters: LinkParameters, for ifindex: Int32?) throws(Refusal) {
        if parameters.ttl != .inherit, !parameters.pmtudisc { throw .invalid }
        let isTaken = devices.values.contains {
            $0.link.parameters?.endpoints == parameters.endpoints && $0.link.ifindex != ifindex
        }
        if isTaken { throw .exists }
    }

    /// Carries out any operation but a create.
    public mutating func perform(_ operation: Operation, on ifindex: Int32) throws(Refusal) {
        guard var device = devices[ifindex] else { throw .noDevice }
        switch operation {
        case .create: throw .invalid
        case .mark:
            if case .alias(let tunnel, _) = device.link.remains { device.link.owner = tunnel }
            device.link.remains = nil
        case .change(_, let parameters):
            try check(parameters, for: ifindex)
            // The kernel binds the link to its underlay anew, and takes that one's MTU.
            let former = device.link.parameters
            if former?.underlay != parameters.underlay || former?.fwmark != parameters.fwmark {
                device.link.mtu = pathMTU - 20
            }
            device.link.parameters = parameters
        case .rename(let name):
            if device.link.isUp { throw .busy }
            if device.link.name == name.text { break }
            if link(named: name.text) != nil { throw .exists }
            device.link.name = name.text
        case .setMTU(let mtu):
            guard DefinitionLimits.mtu.contains(mtu) else { throw .invalid }
            device.link.mtu = mtu
        case .setUp(let up):
            if !up { dropRoutes(of: ifindex) }
            device.link.isUp = up
        case .addAddress(let address):
            guard !device.addresses.contains(where: { $0.collides(with: address) }) else { throw .exists }
            device.addresses.append(address)
        case .removeAddress(let address):
            guard let position = device.addresses.firstIndex(of: address) else { throw .addressNotAvailable }
            let subnet = device.addresses.filter { $0.onLinkPrefix == address.onLinkPrefix }
            // Without its primary, the kernel keeps no secondary.
            if subnet.first == address {
                device.addresses.removeAll { subnet.contains($0) }
            } else {
                device.addresses.remove(at: position)
            }
            // A link without an address has IPv4 switched off.
            if device.addresses.isEmpty { dropRoutes(of: ifindex) }
        case .addRoute(let route): try addRoute(route, by: ifindex, isOurs: true)
        case .removeRoute(let route):
            // Without a metric the kernel takes the first one to that network.
            let own = ownRoutes(of: ifindex).filter { $0.to == route.to }
            let found = route.metric == 0 ? own.min { $0.metric < $1.metric } : own.first { $0 == route }
            guard let found else { throw .notFound }
            routes[found] = nil
        case .delete:
            dropRoutes(of: ifindex)
            devices[ifindex] = nil
            return
        }
        devices[ifindex] = device
    }

    public mutating func addRoute(_ route: TunnelRoute, by ifindex: Int32, isOurs: Bool) throws(Refusal) {
        guard devices[ifindex]?.link.isUp == true else { throw .networkDown }
        guard routes[route] == nil else { throw .exists }
        routes[route] = (ifindex, isOurs ? RouteProtocols.tunneld : RouteProtocols.boot)
    }

    /// What `ip link set … alias ''` does: the link is nobody's then.
    public mutating func unmark(_ ifindex: Int32) {
        devices[ifindex]?.link.owner = nil
        devices[ifindex]?.link.remains = nil
    }

    // MARK: - From hand to hand

    public func unmanagedTunnel(named name: String) -> UnmanagedTunnel? {
        guard let device = devices.values.first(where: { $0.link.name == name }), let link = link(named: name),
            link.kind == "ipip", let parameters = link.parameters
        else { return nil }
        var found = UnmanagedTunnel(link)
        found.addresses = device.addresses
        found.underlay = devices[parameters.underlay]?.link.name
        let own = routes.filter { $0.value.ifindex == link.ifindex }
        found.routes = own.sorted { $0.key.description < $1.key.description }.map {
            UnmanagedTunnel.Route($0, protocol: $1.proto)
        }
        if parameters.remote != nil { found.path = UnderlayPath(ifindex: 2, mtu: pathMTU, prefixLength: 24) }
        return found
    }

    public mutating func handOver(_ handover: Handover) {
        guard var device = devices[handover.ifindex] else { return }
        // What stands there now: whose alias, and whether the group is ours.
        var alias = device.link.owner
        var isInGroup = device.link.owner != nil
        switch device.link.remains {
        case .whole(let id): (alias, isInGroup) = (id, true)
        case .alias(let id, _): alias = id
        case .group: isInGroup = true
        case nil: break
        }
        switch handover.alias {
        case .tunnel(let id)?: alias = id
        case .text?: alias = nil
        case nil: break
        }
        if handover.group != nil { isInGroup = false }
        device.link.owner = isInGroup ? alias : nil
        device.link.remains =
            switch (alias, isInGroup) {
            case (let id?, false): .alias(id, group: 0)
            case (nil, true): .group(alias: "")
            default: nil
            }
        devices[handover.ifindex] = device
        for owner in handover.routes where routes[owner.route]?.ifindex == handover.ifindex {
            routes[owner.route]?.proto = owner.protocol ?? RouteProtocols.tunneld
        }
    }

    public func isOurMaking(_ ifindex: Int32) -> Bool { devices[ifindex]?.isForeign != true }

    /// Who made a route; nil where there is none.
    public func routeProtocol(_ route: TunnelRoute) -> UInt8? { routes[route]?.proto }

    /// `ip address add` on any link.
    public mutating func addAddress(_ address: InterfaceAddress, on ifindex: Int32) {
        devices[ifindex]?.addresses.append(address)
    }

    private func ownRoutes(of ifindex: Int32) -> [TunnelRoute] {
        routes.filter { $0.value == (ifindex, RouteProtocols.tunneld) }.map(\.key)
    }

    private mutating func dropRoutes(of ifindex: Int32) {
        routes = routes.filter { $0.value.ifindex != ifindex }
    }
}

extension InterfaceAddress {
    /// Whether the kernel takes both for the same (`__inet_insert_ifa`).
    fileprivate func collides(with other: Self) -> Bool {
        local == other.local && onLinkPrefix == other.onLinkPrefix
    }
}
