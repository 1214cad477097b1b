import Testing
import Tunnels

@Suite struct AdoptionTests {
    /// What `ip link add by_hand type ipip …` makes, with an address and a route.
    private func found(_ edit: (inout UnmanagedTunnel) throws -> Void = { _ in }) throws -> UnmanagedTunnel {
        let parameters = LinkParameters(
            local: IPv4Address(172, 16, 16, 22), remote: IPv4Address(172, 16, 1, 62))
        var found = UnmanagedTunnel(
            ObservedLink(ifindex: 9, name: "by_hand", kind: "ipip", isUp: true, mtu: 1480, parameters: parameters))
        found.addresses = [try address("192.168.1.2/24"), try address("192.168.1.1/24")]
        found.routes = [
            UnmanagedTunnel.Route(try route("192.168.1.0/24"), protocol: RouteProtocols.kernel),
            UnmanagedTunnel.Route(try route("10.20.0.0/16", metric: 7), protocol: RouteProtocols.boot),
        ]
        found.path = UnderlayPath(ifindex: 2, mtu: 1500, prefixLength: 16)
        try edit(&found)
        return found
    }

    private func adoption(
        of found: UnmanagedTunnel, on plane: DataPlaneKind = .kernel, besides taken: [TunnelDefinition] = []
    ) -> Adoption {
        Adoption(of: found, on: plane, besides: TakenPlaces(taken))
    }

    /// Field by field, with what the plan for it finds: nothing but the mark.
    @Test func theDefinitionIsTheLink() throws {
        let found = try found {
            $0.link.parameters?.ttl = .fixed(64)
            $0.link.parameters?.tos = .fixed(16)
            $0.link.parameters?.fwmark = 7
            $0.link.parameters?.underlay = 2
            $0.underlay = "eth0"
            $0.link.mtu = 1400
        }
        let adoption = adoption(of: found)
        let definition = try #require(adoption.definition)
        var expected = TunnelDefinition(name: try name("by_hand"), remote: IPv4Address(172, 16, 1, 62))
        expected.local = IPv4Address(172, 16, 16, 22)
        expected.addresses = [try address("192.168.1.2/24"), try address("192.168.1.1/24")]
        expected.routes = [try route("10.20.0.0/16", metric: 7)]
        expected.mtu = 1400
        expected.ttl = .fixed(64)
        expected.tos = .fixed(16)
        expected.underlay = try name("eth0")
        expected.fwmark = 7
        #expect(definition == expected)
        #expect(adoption.obstacles == [])
        #expect(adoption.unmanaged == [])
        #expect(adoption.changes.map(\.field) == ["group", "alias", "routes"])
        #expect(adoption.changes.last?.detail == "10.20.0.0/16 metric 7: protocol 3 becomes 116.")

        var link = found.link
        link.owner = id(1)
        link.addresses = Set(found.addresses)
        link.routes = Set(adoption.routes.map(\.route))
        let eth0 = ObservedLink(ifindex: 2, name: "eth0", kind: "", isUp: true, mtu: 1500)
        let state = ObservedState(links: [eth0, link])
        #expect(try plan(for: tunnel(definition), in: state).differences == [])
    }

    @Test func anMTUThatFollowingGivesIsLeftToIt() throws {
        #expect(try adoption(of: found()).definition?.mtu == nil)
        #expect(try adoption(of: found { $0.path?.mtu = 1400 }).definition?.mtu == 1480)
        #expect(try adoption(of: found { $0.path = nil }).definition?.mtu == 1480)
    }

    @Test func aLinkThatIsDownIsATunnelSwitchedOff() throws {
        let definition = try adoption(of: found { $0.link.isUp = false }).definition
        #expect(definition?.enabled == false)
        #expect(definition?.routes == [])
    }

    struct Obstacle: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let field: String
        let edit: @Sendable (inout UnmanagedTunnel) throws -> Void

        init(_ field: String, _ description: String, _ edit: @escaping @Sendable (inout UnmanagedTunnel) throws -> Void)
        {
            (self.field, testDescription, self.edit) = (field, description, edit)
        }
    }

    static let obstacles = [
        Obstacle("name", "tunl0") { $0.link.name = "tunl0" },
        Obstacle("name", "a name that no tunnel can have") { $0.link.name = "a@b" },
        Obstacle("remote", "any remote") { $0.link.parameters?.remote = nil },
        Obstacle("remote", "multicast") { $0.link.parameters?.remote = IPv4Address(224, 0, 0, 5) },
        Obstacle("external", "collect_md") {
            $0.link.parameters?.remote = nil
            $0.peculiarities = [.external]
        },
        Obstacle("encap", "fou") { $0.peculiarities = [.encapsulation("fou")] },
        Obstacle("mode", "mplsip") { $0.peculiarities = [.innerProtocol(137)] },
        Obstacle("local", "of another namespace") { $0.peculiarities = [.boundElsewhere] },
        Obstacle("underlay", "gone") { $0.peculiarities = [.underlayMissing(9)] },
        Obstacle("underlay", "lo") { $0.underlay = "lo" },
        Obstacle("kind", "unknown settings") { $0.peculiarities = [.unknown] },
        Obstacle("ttl", "fixed, without path MTU discovery") {
            $0.link.parameters?.ttl = .fixed(9)
            $0.link.parameters?.pmtudisc = false
        },
        Obstacle("tos", "with a bit of ECN") { $0.link.parameters?.tos = .fixed(2) },
        Obstacle("mtu", "too large") { $0.link.mtu = 65_520 },
        Obstacle("routes", "the remote in its own network") {
            $0.routes.append(UnmanagedTunnel.Route(try route("172.16.0.0/15"), protocol: 3))
            $0.path?.prefixLength = 0
        },
        Obstacle("routes", "the remote through itself") {
            $0.routes.append(UnmanagedTunnel.Route(try route("172.16.0.0/15"), protocol: 3))
            $0.path = UnderlayPath(ifindex: 9, mtu: 1480, prefixLength: 15)
        },
    ]

    @Test(arguments: obstacles) func whatCantBeSaidIsNamed(_ row: Obstacle) throws {
        let adoption = adoption(of: try found(row.edit))
        #expect(adoption.obstacles.map(\.field) == [row.field], "\(adoption.obstacles)")
        #expect(adoption.obstacles.allSatisfy { $0.detail.hasSuffix(".") })
    }

    @Test func programsCantCarryAnIPIPLink() throws {
        #expect(try adoption(of: found(), on: .bpf).obstacles.map(\.field) == ["data_plane"])
    }

    @Test func whatATunnelHasIsNamed() throws {
        let other = try definition {
            $0.local = IPv4Address(172, 16, 16, 22)
            $0.addresses = [try address("192.168.1.1/24")]
        }
        let failed = try definition { $0.name = try name("by_hand") }
        let notes = adoption(of: try found(), besides: [other, failed]).obstacles
        #expect(notes.map(\.field) == ["name", "remote", "addresses"])
        #expect(notes.dropFirst().allSatisfy { $0.detail.contains("tun_a") })
    }

    @Test func whatStaysIsNamed() throws {
        let adoption = adoption(
            of: try found {
                $0.routes += [
                    UnmanagedTunnel.Route(try route("10.30.0.0/16"), protocol: 3, extras: ["table 7"]),
                    UnmanagedTunnel.Route(try route("10.40.0.0/16"), protocol: 12),
                    UnmanagedTunnel.Route(try route("10.50.0.0/16"), protocol: RouteProtocols.tunneld),
                    UnmanagedTunnel.Route(try route("10.60.0.0/16"), protocol: RouteProtocols.static),
                ]
                $0.specialAddresses = [try address("192.168.1.1/24")]
                $0.addressesOfIPv6 = 2
                $0.master = "vrf7"
                $0.peculiarities = [.innerProtocol(0)]
            })
        #expect(adoption.obstacles == [])
        #expect(adoption.unmanaged.map(\.field) == ["routes", "routes", "addresses", "addresses", "master", "mode"])
        #expect(adoption.unmanaged.first?.detail.contains("10.30.0.0/16 metric 0 table 7") == true)
        let taken = try [route("10.20.0.0/16", metric: 7), route("10.50.0.0/16"), route("10.60.0.0/16")]
        #expect(adoption.definition?.routes == taken)
        #expect(adoption.changes.filter { $0.field == "routes" }.count == 2)
    }
}

/// Who has a link that bears a mark without having been made by us.
@Suite struct ClaimTests {
    private func link(_ ifindex: Int32, _ name: String, _ remains: MarkRemains?, owner: TunnelID? = nil) -> ObservedLink
    {
        ObservedLink(ifindex: ifindex, name: name, kind: "ipip", owner: owner, remains: remains, isUp: true, mtu: 1480)
    }

    @Test func anAdoptedLinkIsItsTunnels() throws {
        let wanted = tunnel(try definition())
        let state = ObservedState(links: [link(7, "tun_a", .whole(id(1)))], claimedBy: [wanted])
        #expect(state.link(of: id(1))?.ifindex == 7)
        #expect(state.link(of: id(1))?.remains == nil)
        #expect(prune(state, keeping: [id(1)]) == [])
        #expect(evictions(from: state, for: [wanted], on: .kernel) == [])
    }

    @Test func whereNoTunnelHasItItIsNobodys() throws {
        let other = tunnel(try definition(), id: id(2))
        let state = ObservedState(links: [link(7, "x", .whole(id(1)))], claimedBy: [other])
        #expect(state.links.first?.owner == nil)
        #expect(prune(state, keeping: [id(2)]) == [])
        #expect(evictions(from: state, for: [other], on: .kernel) == [])
    }

    @Test func theLinkThatWeMadeComesFirst() throws {
        let wanted = tunnel(try definition())
        let state = ObservedState(
            links: [link(7, "copy", .whole(id(1))), link(1 << 20, "renamed", nil, owner: id(1))], claimedBy: [wanted])
        #expect(state.link(of: id(1))?.ifindex == 1 << 20)
        #expect(state.link(named: "copy")?.owner == nil)
        #expect(prune(state, keeping: [id(1)]) == [])
    }

    @Test(
        arguments: [
            // Of two that bear all of the mark, the one with the tunnel's name; then the older one.
            ([(7, "copy", true), (9, "tun_a", true)], 9),
            ([(9, "copy", true), (7, "other", true)], 7),
            ([(9, "copy", true), (7, "other", false)], 9),
            ([(9, "tun_a", false), (7, "other", true)], 9),
        ] as [([(Int32, String, Bool)], Int32)])
    func ofSeveralOneIsTheTunnels(_ links: [(Int32, String, Bool)], _ own: Int32) throws {
        let wanted = tunnel(try definition())
        let observed = links.map { link($0.0, $0.1, $0.2 ? .whole(id(1)) : .alias(id(1), group: 0)) }
        let state = ObservedState(links: observed, claimedBy: [wanted])
        #expect(state.link(of: id(1))?.ifindex == own)
        #expect(state.links.filter { $0.owner != nil }.count == 1)
    }
}
