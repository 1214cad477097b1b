import Testing
import Tunnels

/// What a definition becomes by each kind of difference, and what it can't become.
@Suite struct DriftAdoptionTests {
    private func definition(_ edit: (inout TunnelDefinition) throws -> Void = { _ in }) throws -> TunnelDefinition {
        var definition = TunnelDefinition(name: try InterfaceName("tun_a"), remote: IPv4Address(172, 16, 1, 2))
        definition.addresses = [try address("192.168.1.1/24"), try address("192.168.2.1/24")]
        definition.routes = [try route("10.1.0.0/16"), try route("10.2.0.0/16")]
        definition.mtu = 1400
        try edit(&definition)
        return definition
    }

    private func address(_ text: String) throws -> InterfaceAddress { try #require(InterfaceAddress(text)) }
    private func route(_ text: String) throws -> TunnelRoute { TunnelRoute(to: try IPv4Prefix(parsing: text)) }

    /// The adoption of all that a link differs in.
    private func adopt(
        _ definition: TunnelDefinition, _ edit: (inout ObservedLink) throws -> Void
    ) throws -> DriftAdoption {
        let parameters = LinkParameters(definition, underlay: 0)
        var link = ObservedLink(
            ifindex: 9, name: definition.name.text, kind: "ipip", isUp: definition.enabled, mtu: definition.mtu ?? 1480,
            parameters: parameters, addresses: Set(definition.addresses),
            routes: definition.enabled ? Set(definition.routes) : [])
        try edit(&link)
        let ethernet = ObservedLink(ifindex: 2, name: "eth0", kind: "", isUp: true, mtu: 1500)
        let found = differences(between: definition, parameters: parameters, followedMTU: nil, and: link)
        #expect(!found.isEmpty)
        let adoption = DriftAdoption(
            of: found.filter(\.isAdoptable), on: link, into: definition, in: ObservedState(links: [link, ethernet]))
        if adoption.refused.isEmpty {
            let underlay: Int32 = adoption.definition.underlay == nil ? 0 : 2
            let left = differences(
                between: adoption.definition, parameters: LinkParameters(adoption.definition, underlay: underlay),
                followedMTU: nil, and: link)
            #expect(left == [], "nothing differs any more")
        }
        return adoption
    }

    @Test func headers() throws {
        let before = try definition()
        let adoption = try adopt(before) {
            $0.parameters = LinkParameters(
                local: IPv4Address(172, 16, 3, 3), remote: IPv4Address(172, 16, 4, 4), underlay: 2, ttl: .fixed(7),
                tos: .fixed(8), pmtudisc: true, fwmark: 5)
        }
        let expected = try definition {
            $0.local = IPv4Address(172, 16, 3, 3)
            $0.remote = IPv4Address(172, 16, 4, 4)
            $0.underlay = try InterfaceName("eth0")
            $0.ttl = .fixed(7)
            $0.tos = .fixed(8)
            $0.fwmark = 5
        }
        #expect(adoption.definition == expected)
        #expect(adoption.adopted.count == 6 && adoption.refused.isEmpty)
    }

    @Test func whatGoesBackToItsDefault() throws {
        let before = try definition {
            $0.local = IPv4Address(172, 16, 3, 3)
            $0.ttl = .fixed(7)
            $0.fwmark = 5
        }
        let adoption = try adopt(before) {
            $0.parameters = LinkParameters(local: nil, remote: before.remote, pmtudisc: false)
        }
        let expected = try definition { $0.pmtudisc = false }
        #expect(adoption.definition == expected)
    }

    @Test func aFixedTTLComesWithItsPMTUDisc() throws {
        let before = try definition { $0.pmtudisc = false }
        let adoption = try adopt(before) {
            $0.parameters?.ttl = .fixed(9)
            $0.parameters?.pmtudisc = true
        }
        let expected = try definition { $0.ttl = .fixed(9) }
        #expect(adoption.definition == expected)
    }

    @Test func theRestOfTheLink() throws {
        let adoption = try adopt(try definition()) {
            $0.name = "other"
            $0.mtu = 1300
        }
        let expected = try definition {
            $0.name = try InterfaceName("other")
            $0.mtu = 1300
        }
        #expect(adoption.definition == expected)
        let routeless = try definition { $0.routes = [] }
        let down = try adopt(routeless) { $0.isUp = false }
        let switchedOff = try definition { ($0.routes, $0.enabled) = ([], false) }
        #expect(down.definition == switchedOff)
    }

    @Test func listsKeepTheirOrderAndGrowAtTheEnd() throws {
        let adoption = try adopt(try definition()) {
            $0.addresses.remove(try address("192.168.1.1/24"))
            $0.addresses.formUnion([try address("192.168.4.1/24"), try address("192.168.3.1/24")])
            $0.routes.remove(try route("10.1.0.0/16"))
            $0.routes.insert(try route("10.0.0.0/16"))
        }
        #expect(
            adoption.definition.addresses.map(\.description)
                == ["192.168.2.1/24", "192.168.3.1/24", "192.168.4.1/24"])
        #expect(adoption.definition.routes.map(\.to.description) == ["10.2.0.0/16", "10.0.0.0/16"])
    }

    @Test func anAddressWithAnotherFarEndTakesItsPlace() throws {
        let adoption = try adopt(try definition()) {
            $0.addresses = [try address("192.168.2.1/24"), try address("192.168.1.1/25")]
        }
        #expect(adoption.definition.addresses.map(\.description) == ["192.168.2.1/24", "192.168.1.1/25"])
    }

    @Test func whatCannotBeIsRefusedAndTheRestTaken() throws {
        let adoption = try adopt(try definition()) {
            $0.name = "tunl0"
            $0.mtu = 1300
            $0.parameters?.remote = nil
            $0.parameters?.underlay = 77
            $0.addresses.insert(try address("127.0.0.9/32"))
        }
        let expected = try definition { $0.mtu = 1300 }
        #expect(adoption.definition == expected)
        #expect(Set(adoption.refused.map(\.difference.summary.field)) == ["name", "remote", "underlay", "addresses"])
        #expect(adoption.refused.allSatisfy { !$0.reason.isEmpty })
    }

    @Test func anUntouchedDefinitionHasNothingToAdopt() {
        #expect(!Difference.linkMissing.isAdoptable && !Difference.programs.isAdoptable)
        #expect(!Difference.mark(.group(alias: "")).isAdoptable)
    }
}
