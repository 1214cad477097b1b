internal import CBPF
internal import Netlink
internal import Tunnels

// What the programs know of a tunnel, and how it is said in a definition's terms. Addresses are in network byte order.

extension tun_config {
    init(_ parameters: LinkParameters, by path: UnderlayPath?) {
        self.init()
        local = parameters.local?.bits.bigEndian ?? 0
        remote = parameters.remote?.bits.bigEndian ?? 0
        underlay = UInt32(bitPattern: parameters.underlay)
        fwmark = parameters.fwmark
        // TOS_INHERIT is as the kernel has it.
        ttl = parameters.ttl.ttlByte
        tos = parameters.tos.tosByte
        flags = UInt8(TUNNEL_UP) | (parameters.pmtudisc ? UInt8(TUNNEL_PMTUDISC) : 0)
        follow(path)
    }

    /// Sends the outer packets that way; nil where there is none.
    mutating func follow(_ path: UnderlayPath?) {
        out = path.map { UInt32(bitPattern: $0.ifindex) } ?? 0
        path_mtu = path.map { UInt32($0.mtu) } ?? path_mtu
        source = local != 0 ? local : path?.source?.bits.bigEndian ?? source
    }

    /// Keeps what isn't of the parameters.
    mutating func keep(_ former: tun_config) {
        isUp = former.isUp
        if hasSameWay(as: former) { learnt = former.learnt }
    }

    /// Whether what arrives is delivered.
    var isUp: Bool {
        get { flags & UInt8(TUNNEL_UP) != 0 }
        set { flags = newValue ? flags | UInt8(TUNNEL_UP) : flags & ~UInt8(TUNNEL_UP) }
    }

    /// Whether outer packets go to the same host by the same link. What was learnt of one way's MTU says nothing of another.
    func hasSameWay(as other: tun_config) -> Bool { remote == other.remote && out == other.out }

    var endpoint: tun_endpoint { tun_endpoint(local: local, remote: remote, underlay: underlay) }
}

extension LinkParameters {
    init(_ configuration: tun_config) {
        func address(_ bits: UInt32) -> IPv4Address? { bits == 0 ? nil : IPv4Address(bits: UInt32(bigEndian: bits)) }
        self.init(
            local: address(configuration.local), remote: address(configuration.remote),
            underlay: Int32(bitPattern: configuration.underlay),
            ttl: HeaderField(ttlByte: configuration.ttl), tos: HeaderField(tosByte: configuration.tos),
            pmtudisc: configuration.flags & UInt8(TUNNEL_PMTUDISC) != 0, fwmark: configuration.fwmark)
    }
}
