/// Tunnels that a client wants to be so, all of them or none.
public struct TunnelSet: Sendable {
    /// One whole definition of the set.
    public struct Item: Sendable {
        public var definition: TunnelDefinition
        /// What the client has seen of the tunnel; nil where any will do.
        public var revision: Int64?

        public init(_ definition: TunnelDefinition, revision: Int64? = nil) {
            self.definition = definition
            self.revision = revision
        }
    }

    /// The tunnels that may be touched: those that bear one label.
    public struct Scope: Hashable, Sendable {
        public let key: String
        public let value: String

        public init(key: String, value: String) {
            self.key = key
            self.value = value
        }

        public func holds(_ definition: TunnelDefinition) -> Bool { definition.labels[key] == value }
    }

    /// Matched by name with the tunnels there are.
    public var items: [Item]
    /// nil for all tunnels.
    public var scope: Scope?
    /// Whether tunnels of the scope that aren't listed are deleted.
    public var isPruning: Bool

    public init(_ items: [Item], scope: Scope? = nil, isPruning: Bool = false) {
        self.items = items
        self.scope = scope
        self.isPruning = isPruning
    }
}

extension TunnelSet {
    /// What can't be within a set, whatever tunnels there are: two with one name, endpoints or address, and tunnels that
    /// don't bear the scope's label. Pointers are into `{"tunnels": […]}`.
    ///
    /// - Parameters:
    ///   - definitions: nil for those that couldn't be read.
    ///   - limit: how many violations at most.
    public static func violations(
        of definitions: [TunnelDefinition?], scope: Scope?, limit: Int
    ) -> [Violation] {
        var holders = [UniqueValue: (position: Int, pointer: String)](minimumCapacity: definitions.count * 3)
        var found: [Violation] = []
        for (position, definition) in definitions.enumerated() {
            guard found.count < limit else { break }
            guard let definition else { continue }
            if let scope, !scope.holds(definition) {
                let detail = "the scope is \(scope.key):\(scope.value); give the tunnel this label, or leave it out."
                found.append(Violation("/tunnels/\(position)/labels", detail))
            }
            for (place, value) in definition.uniqueValues.enumerated() {
                let pointer = UniqueValue.pointer(at: place)
                guard let other = holders.updateValue((position, pointer), forKey: value) else { continue }
                // An address twice in one tunnel is that definition's own mistake.
                guard other.position != position else { continue }
                let (first, second) = ("/tunnels/\(other.position)\(other.pointer)", "/tunnels/\(position)\(pointer)")
                found.append(Violation(first, "\(second) \(value.claim) too; leave one out, or change it."))
                found.append(Violation(second, "\(first) \(value.claim) too; leave one out, or change it."))
            }
        }
        return Array(found.prefix(limit))
    }
}

/// What only one tunnel may have: the kernel has it once, or it would be a mistake.
public enum UniqueValue: Hashable, Sendable {
    case name(InterfaceName)
    case endpoints(kind: TunnelKind, local: IPv4Address?, remote: IPv4Address, underlay: InterfaceName?)
    case address(IPv4Address, peer: IPv4Address)

    /// Where the definition has the value at a place of its `uniqueValues`.
    static func pointer(at place: Int) -> String {
        switch place {
        case 0: "/name"
        case 1: "/remote"
        default: "/addresses/\(place - 2)"
        }
    }

    fileprivate var claim: String {
        switch self {
        case .name: "has this name"
        case .endpoints: "has the same local, remote and underlay"
        case .address: "has this address"
        }
    }
}

extension TunnelDefinition {
    /// The name, the endpoints, then the addresses in their order.
    public var uniqueValues: [UniqueValue] {
        [.name(name), .endpoints(kind: kind, local: local, remote: remote, underlay: underlay)]
            + addresses.map { .address($0.local, peer: $0.peer ?? $0.local) }
    }
}
