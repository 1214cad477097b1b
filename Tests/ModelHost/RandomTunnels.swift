public import Tunnels

/// Random definitions and disturbances out of small sets of values, so that they meet often.
public struct RandomTunnels {
    public var generator: SeededGenerator
    /// Tunnels with different numbers never want the same name, endpoints, address or route.
    public let number: Int

    public init(seed: UInt64, number: Int = 0) {
        generator = SeededGenerator(seed: seed)
        self.number = number
    }

    public var names: [String] { (0..<3).map { "tun\(number)_\($0)" } }

    private func remote(_ choice: Int) -> IPv4Address {
        IPv4Address(172, 16, UInt8(1 + number), UInt8(1 + choice))
    }

    /// Several share a subnet, and so become each other's secondaries.
    public var addresses: [InterfaceAddress] {
        let net = UInt8(number)
        return [
            InterfaceAddress(local: IPv4Address(192, 168, net, 1), prefixLength: 24),
            InterfaceAddress(local: IPv4Address(192, 168, net, 2), prefixLength: 24),
            InterfaceAddress(local: IPv4Address(192, 168, net, 3), prefixLength: 24),
            InterfaceAddress(local: IPv4Address(192, 168, net, 3), prefixLength: 32),
            InterfaceAddress(local: IPv4Address(192, 168, net, 9), prefixLength: 30),
            InterfaceAddress(
                local: IPv4Address(192, 168, net, 1), peer: IPv4Address(10, 9, net, 1), prefixLength: 32),
        ]
    }

    public var routes: [TunnelRoute] {
        let net = UInt8(number)
        let prefixes = [
            IPv4Prefix(containing: IPv4Address(10, net, 0, 0), length: 16),
            IPv4Prefix(containing: IPv4Address(10, net, 7, 0), length: 24),
            IPv4Prefix(containing: IPv4Address(10, net, 7, 1), length: 32),
        ]
        return prefixes.flatMap { [TunnelRoute(to: $0), TunnelRoute(to: $0, metric: 100)] }
    }

    public mutating func definition() throws -> TunnelDefinition {
        var definition = TunnelDefinition(
            name: try InterfaceName(generator.one(of: names)), remote: remote(generator.below(2)))
        if generator.once(in: 2) { definition.local = IPv4Address(172, 16, 200, 1) }
        if generator.once(in: 4) { definition.underlay = try InterfaceName("eth0") }
        if generator.once(in: 2) { definition.mtu = 1400 }
        switch generator.below(3) {
        case 0: definition.ttl = .fixed(64)
        case 1: definition.pmtudisc = false
        default: break
        }
        if generator.once(in: 2) { definition.tos = .fixed(16) }
        if generator.once(in: 3) { definition.fwmark = 7 }
        definition.enabled = !generator.once(in: 4)
        definition.addresses = generator.some(of: addresses).shuffled(using: &generator)
        if Set(definition.addresses.map { [$0.local, $0.peer ?? $0.local] }).count
            < definition.addresses.count
        {
            definition.addresses.removeAll { $0.prefixLength == 32 }
        }
        definition.routes = generator.some(of: routes).shuffled(using: &generator)
        return definition
    }

    public mutating func id() -> TunnelID {
        TunnelID(at: Timestamp(milliseconds: 1_700_000_000_000 + Int64(number)), using: &generator)
    }

    /// One change of a link by somebody else's hand.
    public mutating func disturbance(of parameters: LinkParameters) throws -> Operation {
        switch generator.below(9) {
        case 0: return .delete
        case 1: return .rename(to: try InterfaceName(generator.one(of: names)))
        case 2: return .setUp(Bool.random(using: &generator))
        case 3: return .setMTU(generator.one(of: [1280, 1400, 1480]))
        case 4: return .addAddress(generator.one(of: addresses))
        case 5: return .removeAddress(generator.one(of: addresses))
        case 6: return .addRoute(generator.one(of: routes))
        case 7: return .removeRoute(generator.one(of: routes))
        default:
            var parameters = parameters
            parameters.remote = remote(generator.below(2))
            parameters.ttl = generator.one(of: [.inherit, .fixed(32)])
            parameters.tos = generator.one(of: [.inherit, .fixed(32), .fixed(0)])
            parameters.pmtudisc = true
            parameters.fwmark = generator.one(of: [0, 7, 9])
            return .change(kind: .ipip, parameters: parameters)
        }
    }
}
