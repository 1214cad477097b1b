import ModelHost
import Testing
import Tunnels

let now = Timestamp(milliseconds: 1_700_000_000_123)

func name(_ text: String) throws -> InterfaceName { try InterfaceName(text) }

func address(_ text: String) throws -> InterfaceAddress { try #require(InterfaceAddress(text)) }

func route(_ text: String, metric: UInt32 = 0) throws -> TunnelRoute {
    TunnelRoute(to: try IPv4Prefix(parsing: text), metric: metric)
}

func id(_ number: Int) -> TunnelID {
    var generator = SeededGenerator(seed: UInt64(number))
    return TunnelID(at: now, using: &generator)
}

/// The least definition, edited.
func definition(_ edit: (inout TunnelDefinition) throws -> Void = { _ in }) throws -> TunnelDefinition {
    var definition = TunnelDefinition(name: try name("tun_a"), remote: IPv4Address(172, 16, 1, 62))
    try edit(&definition)
    return definition
}

func tunnel(_ definition: TunnelDefinition, id: TunnelID = id(1)) -> Tunnel {
    Tunnel(id: id, definition: definition, revision: 1, createdAt: now, updatedAt: now)
}

/// The link that the kernel has when it has all of a definition.
func link(of definition: TunnelDefinition, underlay: Int32 = 0, id: TunnelID? = id(1)) -> ObservedLink {
    ObservedLink(
        ifindex: 7, name: definition.name.text, kind: "ipip", owner: id, isUp: definition.enabled,
        mtu: definition.mtu ?? 1480, parameters: LinkParameters(definition, underlay: underlay),
        addresses: Set(definition.addresses), routes: definition.enabled ? Set(definition.routes) : [])
}
