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
    }

    private var devices: [Int32: Device] = [:]
    /// The host's one routing table; each destination is there once for each metric.
    private var routes: [TunnelRoute: (ifindex: Int32, isOurs: Bool)] = [:]
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
        return add(link)
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
            link.routes = Set(routes.filter { $0.value == (link.ifindex, true) }.keys)
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
        ObservedState(links: links, paths: paths(of: tunnels.filter { $0.definition.mtu == nil }))
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
        case .mark: device.link.remains = nil
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
            let own = routes.filter { $0.key.to == route.to && $0.value == (ifindex, true) }.keys
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
        routes[route] = (ifindex, isOurs)
    }

    /// What `ip link set … alias ''` does: the link is nobody's then.
    public mutating func unmark(_ ifindex: Int32) {
        devices[ifindex]?.link.owner = nil
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
