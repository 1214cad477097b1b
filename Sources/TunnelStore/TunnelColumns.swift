internal import GRDB
internal import Tunnels

/// Values to columns and back. Integers hold addresses in host order and times in milliseconds.
extension Tunnel {
    /// In the order of the statements that write and read a tunnel.
    var arguments: StatementArguments {
        [
            id.text, definition.name.text, definition.kind.rawValue, definition.local?.bits,
            definition.remote.bits, definition.mtu, definition.ttl.column, definition.tos.column,
            definition.pmtudisc, definition.underlay?.text, definition.fwmark, definition.enabled,
            definition.comment, revision, updatedAt.milliseconds, createdAt.milliseconds,
            definition.driftPolicy.rawValue,
        ]
    }

    init(_ row: Row, id: TunnelID, lists: TunnelLists) throws {
        guard let kind = TunnelKind(rawValue: try row.decode(atIndex: 2)) else {
            throw UnreadableRow("a kind of tunnel that isn't known")
        }
        guard let driftPolicy = DriftPolicy(rawValue: try row.decode(atIndex: 16)) else {
            throw UnreadableRow("a drift policy that isn't known")
        }
        var definition = TunnelDefinition(
            name: try row.interfaceName(at: 1), remote: IPv4Address(bits: try row.decode(atIndex: 4)))
        definition.kind = kind
        definition.driftPolicy = driftPolicy
        definition.local = try row.decode(UInt32?.self, atIndex: 3).map(IPv4Address.init(bits:))
        definition.mtu = try row.decode(atIndex: 5)
        definition.ttl = HeaderField(column: try row.decode(atIndex: 6))
        definition.tos = HeaderField(column: try row.decode(atIndex: 7))
        definition.pmtudisc = try row.decode(atIndex: 8)
        definition.underlay = try row.decode(String?.self, atIndex: 9).map { try InterfaceName($0) }
        definition.fwmark = try row.decode(atIndex: 10)
        definition.enabled = try row.decode(atIndex: 11)
        definition.comment = try row.decode(atIndex: 12)
        definition.addresses = lists.addresses
        definition.routes = lists.routes
        definition.labels = lists.labels
        self.init(
            id: id, definition: definition, revision: try row.decode(atIndex: 13),
            createdAt: Timestamp(milliseconds: try row.decode(atIndex: 15)),
            updatedAt: Timestamp(milliseconds: try row.decode(atIndex: 14)))
    }
}

extension InterfaceAddress {
    /// What the `peer` column holds: never NULL, so that a unique index compares it.
    var farEnd: IPv4Address { peer ?? local }

    init(_ row: Row) throws {
        self.init(
            local: IPv4Address(bits: try row.decode(atIndex: 1)),
            peer: IPv4Address(bits: try row.decode(atIndex: 2)), prefixLength: try row.decode(atIndex: 3))
    }
}

extension TunnelRoute {
    init(_ row: Row) throws {
        let network = IPv4Address(bits: try row.decode(atIndex: 1))
        self.init(
            to: IPv4Prefix(containing: network, length: try row.decode(atIndex: 2)),
            metric: try row.decode(atIndex: 3))
    }
}

extension HeaderField {
    /// NULL where inherited.
    var column: UInt8? {
        switch self {
        case .inherit: nil
        case .fixed(let value): value
        }
    }

    init(column: UInt8?) {
        self = column.map(HeaderField.fixed) ?? .inherit
    }
}

extension Row {
    func tunnelID(at index: Int) throws -> TunnelID {
        let text = try decode(String.self, atIndex: index)
        guard let id = TunnelID(text) else { throw UnreadableRow("\(text) as a tunnel's id") }
        return id
    }

    func interfaceName(at index: Int) throws -> InterfaceName {
        let text = try decode(String.self, atIndex: index)
        do { return try InterfaceName(text) } catch { throw UnreadableRow("\(text) as a link's name") }
    }
}
