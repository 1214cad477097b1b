/// What a tunnel encapsulates, by the name that `ip link` gives its kind.
public enum TunnelKind: String, Sendable, CaseIterable {
    /// IPv4 in IPv4 (RFC 2003).
    case ipip

    /// Bytes that the outer header costs.
    public var overhead: Int {
        switch self {
        case .ipip: 20
        }
    }
}

/// A field of the outer header that is copied from the inner one, or fixed.
public enum HeaderField: Hashable, Sendable {
    case inherit
    case fixed(UInt8)
}

/// A route into the tunnel.
public struct TunnelRoute: Hashable, Sendable {
    public let to: IPv4Prefix
    /// The kernel's priority: of two routes to the same network, the lower wins.
    public let metric: UInt32

    public init(to: IPv4Prefix, metric: UInt32 = 0) {
        self.to = to
        self.metric = metric
    }
}

/// What the user wants of a tunnel. Its defaults are those of a request that gives only `name` and `remote`.
public struct TunnelDefinition: Hashable, Sendable {
    public var name: InterfaceName
    public var kind = TunnelKind.ipip
    /// The outer source; nil leaves it to the route towards `remote`.
    public var local: IPv4Address?
    /// The outer destination.
    public var remote: IPv4Address
    public var addresses: [InterfaceAddress] = []
    public var routes: [TunnelRoute] = []
    /// Bytes; nil follows the underlay: the MTU of the route towards `remote` less the overhead.
    public var mtu: Int?
    /// Of the outer header; 1 to 255 where fixed.
    public var ttl = HeaderField.inherit
    /// Of the outer header; the two low bits belong to ECN (RFC 6040) and are zero where fixed.
    public var tos = HeaderField.inherit
    /// Whether the outer header forbids fragments, so that the path's MTU is found (RFC 1191).
    public var pmtudisc = true
    /// The only link that outer packets use; nil leaves it to the route towards `remote`.
    public var underlay: InterfaceName?
    /// The mark of outer packets, for policy routing; nil for none.
    public var fwmark: UInt32?
    /// Whether the link is up. A tunnel switched off keeps its link, addresses and counters.
    public var enabled = true
    public var driftPolicy = DriftPolicy.enforce
    public var labels: [String: String] = [:]
    public var comment = ""

    public init(name: InterfaceName, remote: IPv4Address) {
        self.name = name
        self.remote = remote
    }
}

/// A stored definition with what the server adds to it.
public struct Tunnel: Hashable, Sendable {
    public let id: TunnelID
    private var shared: SharedDefinition
    /// Counts up by one with each change, from 1.
    public var revision: Int64
    public let createdAt: Timestamp
    public var updatedAt: Timestamp

    public init(
        id: TunnelID, definition: TunnelDefinition, revision: Int64, createdAt: Timestamp,
        updatedAt: Timestamp
    ) {
        self.id = id
        shared = SharedDefinition(definition)
        self.revision = revision
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    public var definition: TunnelDefinition {
        get { shared.definition }
        set { shared = SharedDefinition(newValue) }
    }

    public var name: InterfaceName { shared.definition.name }
}

/// A definition is most of a tunnel and seldom changes: the copies of a tunnel have one.
private final class SharedDefinition: Hashable, Sendable {
    let definition: TunnelDefinition

    init(_ definition: TunnelDefinition) {
        self.definition = definition
    }

    static func == (left: SharedDefinition, right: SharedDefinition) -> Bool {
        left === right || left.definition == right.definition
    }

    func hash(into hasher: inout Hasher) { hasher.combine(definition) }
}
