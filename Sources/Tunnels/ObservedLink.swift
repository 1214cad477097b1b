/// The outer header as the kernel has it on a tunnel link.
public struct LinkParameters: Hashable, Sendable {
    /// nil for any.
    public var local: IPv4Address?
    /// nil for any.
    public var remote: IPv4Address?
    /// The ifindex of the underlay; 0 for none.
    public var underlay: Int32
    public var ttl: HeaderField
    public var tos: HeaderField
    public var pmtudisc: Bool
    /// 0 for none.
    public var fwmark: UInt32

    public init(
        local: IPv4Address?, remote: IPv4Address?, underlay: Int32 = 0, ttl: HeaderField = .inherit,
        tos: HeaderField = .inherit, pmtudisc: Bool = true, fwmark: UInt32 = 0
    ) {
        self.local = local
        self.remote = remote
        self.underlay = underlay
        self.ttl = ttl
        self.tos = tos
        self.pmtudisc = pmtudisc
        self.fwmark = fwmark
    }

    /// The parameters that a definition asks for, with its underlay's ifindex found by the caller.
    public init(_ definition: TunnelDefinition, underlay: Int32) {
        self.init(
            local: definition.local, remote: definition.remote, underlay: underlay, ttl: definition.ttl,
            tos: definition.tos, pmtudisc: definition.pmtudisc, fwmark: definition.fwmark ?? 0)
    }

    /// What the kernel allows once in each network namespace.
    public var endpoints: Endpoints { Endpoints(local: local, remote: remote, underlay: underlay) }

    public struct Endpoints: Hashable, Sendable {
        public let local: IPv4Address?
        public let remote: IPv4Address?
        public let underlay: Int32
    }
}

/// What a link bears of our mark where that alone doesn't make it ours. A tunnel that has no other link claims it.
public enum MarkRemains: Hashable, Sendable {
    /// All of it, on a link that we didn't make: adopted, or a copy.
    case whole(TunnelID)
    /// It names the tunnel, but is in another group.
    case alias(TunnelID, group: UInt32)
    /// It is in our group, but its alias names no tunnel.
    case group(alias: String)
}

/// A link as the kernel has it.
public struct ObservedLink: Hashable, Sendable {
    public var ifindex: Int32
    public var name: String
    /// As `ip -d link` names it (`ipip`, `veth`); empty for hardware.
    public var kind: String
    /// The tunnel whose link it is; nil for a link that isn't ours.
    public var owner: TunnelID?
    /// What it bears of our mark, where that isn't enough.
    public var remains: MarkRemains?
    public var isUp: Bool
    /// Whether all is in place that carries its packets, as far as that is apart from the link.
    public var isWhole = true
    public var mtu: Int
    /// nil unless the kind is a tunnel we know.
    public var parameters: LinkParameters?
    public var addresses: Set<InterfaceAddress>
    /// Those with our protocol number.
    public var routes: Set<TunnelRoute>

    public init(
        ifindex: Int32, name: String, kind: String, owner: TunnelID? = nil, remains: MarkRemains? = nil,
        isUp: Bool, mtu: Int,
        parameters: LinkParameters? = nil, addresses: Set<InterfaceAddress> = [],
        routes: Set<TunnelRoute> = []
    ) {
        self.ifindex = ifindex
        self.name = name
        self.kind = kind
        self.owner = owner
        self.remains = remains
        self.isUp = isUp
        self.mtu = mtu
        self.parameters = parameters
        self.addresses = addresses
        self.routes = routes
    }
}

extension UnderlayPath {
    /// What the MTU of a tunnel is that follows it, in bytes.
    public func mtu(inside kind: TunnelKind) -> Int {
        min(max(mtu - kind.overhead, DefinitionLimits.mtu.lowerBound), DefinitionLimits.mtu.upperBound)
    }

    /// Whether packets still go this way when the main table has a route by `link` to a prefix around their destination.
    public func remains(beside prefix: IPv4Prefix, by link: Int32?) -> Bool {
        ifindex != link && (!isInMain || prefixLength > prefix.length)
    }
}

/// Where a tunnel's outer packets go: the kernel's answer for its remote.
public struct UnderlayPath: Hashable, Sendable {
    /// The link they leave by.
    public var ifindex: Int32
    /// Bytes that fit through that link and route.
    public var mtu: Int
    /// The length of the prefix that matched.
    public var prefixLength: Int
    /// Whether it is one of the main table's, as the routes of tunnels are, or is looked for after these.
    public var isInMain: Bool
    /// What the outer packets of a tunnel with no local address come from; nil where the data plane needn't know.
    public var source: IPv4Address?

    public init(ifindex: Int32, mtu: Int, prefixLength: Int, isInMain: Bool = true, source: IPv4Address? = nil) {
        self.ifindex = ifindex
        self.mtu = mtu
        self.prefixLength = prefixLength
        self.isInMain = isInMain
        self.source = source
    }
}

/// What the kernel has, read at one moment.
public struct ObservedState: Sendable {
    public private(set) var links: [ObservedLink]
    /// For tunnels whose MTU follows the underlay, where the kernel knows a way to the remote.
    public var paths: [TunnelID: UnderlayPath]
    private var byName: PositionTable
    private var byOwner: PositionTable
    private var byEndpoints: PositionTable

    /// - Parameter tunnels: those that may claim a link that bears half of our mark.
    public init(
        links: [ObservedLink], paths: [TunnelID: UnderlayPath] = [:], claimedBy tunnels: [Tunnel] = []
    ) {
        self.links = links
        self.paths = paths
        byName = PositionTable(capacity: links.count)
        byOwner = PositionTable(capacity: links.count)
        byEndpoints = PositionTable(capacity: links.count)
        for (position, link) in links.enumerated() {
            byName.insert(position, hash: link.name.hashValue)
            // Of two links that bear one mark, the older one (the lower ifindex) is the tunnel's.
            if let owner = link.owner, self.link(of: owner).map({ $0.ifindex > link.ifindex }) ?? true {
                byOwner.insert(position, hash: owner.hashValue) { links[$0].owner == owner }
            }
            if let endpoints = link.parameters?.endpoints { byEndpoints.insert(position, hash: endpoints.hashValue) }
        }
        if links.contains(where: { $0.remains != nil }) { claimRemains(by: tunnels) }
    }

    /// A link with a part of our mark, or with all of it where we didn't make the link, is its tunnel's if that has no
    /// other: a mark can be lost, copied, or put on a link that was adopted.
    private mutating func claimRemains(by tunnels: [Tunnel]) {
        var claims: [TunnelID: [Int]] = [:]
        var grouped: [String: Int] = [:]
        for (position, link) in links.enumerated() where link.owner == nil {
            switch link.remains {
            case .whole(let id), .alias(let id, _): claims[id, default: []].append(position)
            case .group: grouped[link.name] = position
            case nil: break
            }
        }
        for tunnel in tunnels where link(of: tunnel.id) == nil {
            let best = claims[tunnel.id]?.min { rank(of: $0, for: tunnel) < rank(of: $1, for: tunnel) }
            guard let position = best ?? grouped[tunnel.name.text] else { continue }
            links[position].owner = tunnel.id
            if case .whole = links[position].remains { links[position].remains = nil }
            byOwner.insert(position, hash: tunnel.id.hashValue)
        }
    }

    /// Of several links that name one tunnel, the lowest is its own: a copy has another name, and mostly came later.
    private func rank(of position: Int, for tunnel: Tunnel) -> (Int, Int, Int32) {
        let link = links[position]
        let isWhole = if case .whole = link.remains { true } else { false }
        return (link.name == tunnel.name.text ? 0 : 1, isWhole ? 0 : 1, link.ifindex)
    }

    public func link(named name: String) -> ObservedLink? {
        byName.position(hash: name.hashValue) { links[$0].name == name }.map { links[$0] }
    }

    public func link(of tunnel: TunnelID) -> ObservedLink? {
        byOwner.position(hash: tunnel.hashValue) { links[$0].owner == tunnel }.map { links[$0] }
    }

    public func link(with endpoints: LinkParameters.Endpoints) -> ObservedLink? {
        byEndpoints.position(hash: endpoints.hashValue) { links[$0].parameters?.endpoints == endpoints }.map {
            links[$0]
        }
    }
}
