internal import Netlink
internal import Tunnels

extension IPv4Address {
    init(_ address: IPv4) {
        self.init(bits: address.rawValue)
    }

    /// nil for `0.0.0.0`, which means any.
    init?(unlessAny address: IPv4) {
        guard address != .any else { return nil }
        self.init(address)
    }
}

extension IPv4 {
    init(_ address: IPv4Address?) {
        self.init(rawValue: address?.bits ?? 0)
    }
}

extension IPTunnel {
    init(_ parameters: LinkParameters) {
        self.init(local: IPv4(parameters.local), remote: IPv4(parameters.remote))
        link = UInt32(bitPattern: parameters.underlay)
        ttl = parameters.ttl.ttlByte
        tos = parameters.tos.tosByte
        pmtudisc = parameters.pmtudisc
        fwmark = parameters.fwmark
    }
}

extension LinkParameters {
    init(_ tunnel: IPTunnel) {
        self.init(
            local: IPv4Address(unlessAny: tunnel.local), remote: IPv4Address(unlessAny: tunnel.remote),
            underlay: Int32(bitPattern: tunnel.link), ttl: HeaderField(ttlByte: tunnel.ttl),
            tos: HeaderField(tosByte: tunnel.tos), pmtudisc: tunnel.pmtudisc,
            fwmark: tunnel.fwmark)
    }
}

extension InterfaceAddress {
    init(_ address: Address) {
        self.init(
            local: IPv4Address(address.local), peer: address.peer.map { IPv4Address($0) },
            prefixLength: Int(address.prefixLength))
    }
}

extension Address {
    init(_ address: InterfaceAddress, on index: UInt32) {
        self.init(IPv4(address.local), prefixLength: UInt8(address.prefixLength), interface: index)
        peer = address.peer.map { IPv4($0) }
    }
}

extension TunnelRoute {
    init(_ route: Route) {
        let to = IPv4Prefix(containing: IPv4Address(route.destination), length: Int(route.prefixLength))
        self.init(to: to, metric: route.metric ?? 0)
    }
}

extension Route {
    init(_ route: TunnelRoute, by index: UInt32) {
        self.init(IPv4(route.to.network), prefixLength: UInt8(route.to.length), interface: index)
        metric = route.metric == 0 ? nil : route.metric
        proto = Mark.routeProtocol
        scope = .link
    }
}

extension ObservedLink {
    /// Without addresses and routes, which other messages tell.
    init(_ link: Link, parameters: LinkParameters?) {
        let mark = Mark.read(link)
        self.init(
            ifindex: Int32(bitPattern: link.index), name: link.name ?? "", kind: link.kind ?? "",
            owner: mark.owner, remains: mark.remains, isUp: link.flags.contains(.up), mtu: Int(link.mtu ?? 0),
            parameters: parameters)
    }

    /// With what the link itself tells of its parameters.
    init(_ link: Link) {
        self.init(link, parameters: link.tunnel.map { LinkParameters($0) })
    }
}
