import Testing
import Tunnels

/// What each difference is called, and which operations close it.
@Suite struct PlanTests {
    private func plan(
        _ wanted: TunnelDefinition, _ links: ObservedLink..., path: UnderlayPath? = nil
    ) throws -> TunnelPlan {
        let paths = path.map { [id(1): $0] } ?? [:]
        return try Tunnels.plan(for: tunnel(wanted), in: ObservedState(links: links, paths: paths))
    }

    /// A tunnel with two addresses, two routes and an MTU of its own.
    private func sample(_ edit: (inout TunnelDefinition) throws -> Void = { _ in }) throws -> TunnelDefinition {
        try definition {
            $0.local = IPv4Address(172, 16, 16, 22)
            $0.addresses = try [address("192.168.1.1/24"), address("10.9.9.1 peer 10.9.9.2/32")]
            $0.routes = try [route("10.20.0.0/16", metric: 100), route("10.21.0.0/16")]
            $0.mtu = 1400
            try edit(&$0)
        }
    }

    @Test func nothingForALinkThatMatches() throws {
        let wanted = try sample()
        #expect(try plan(wanted, link(of: wanted)).operations == [])
        #expect(try plan(wanted, link(of: wanted)).differences == [])
        let off = try sample { $0.enabled = false }
        #expect(try plan(off, link(of: off)).operations == [])
    }

    @Test func aMissingLinkIsMadeWithAllThatBelongsToIt() throws {
        let wanted = try sample()
        let plan = try plan(wanted)
        #expect(plan.ifindex == nil)
        #expect(plan.tunnel == id(1))
        #expect(plan.name == "tun_a")
        #expect(plan.differences == [.linkMissing])
        let parameters = LinkParameters(wanted, underlay: 0)
        let create = Operation.create(
            name: wanted.name, kind: .ipip, parameters: parameters, mtu: 1400, up: true)
        #expect(
            plan.operations == [create] + wanted.addresses.map { .addAddress($0) }
                + wanted.routes.map { .addRoute($0) })
    }

    @Test func aLinkThatIsOffIsMadeWithoutRoutes() throws {
        let wanted = try sample { $0.enabled = false }
        let operations = try plan(wanted).operations
        #expect(operations.count == 3)
        guard case .create(_, _, _, _, up: false) = operations[0] else {
            Issue.record("not made, or up")
            return
        }
    }

    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let disturb: @Sendable (inout ObservedLink) throws -> Void
        let difference: @Sendable (TunnelDefinition) throws -> [Difference]
        let operations: @Sendable (TunnelDefinition) throws -> [Operation]

        init(
            _ description: String, _ disturb: @escaping @Sendable (inout ObservedLink) throws -> Void,
            _ difference: @escaping @Sendable (TunnelDefinition) throws -> [Difference],
            _ operations: @escaping @Sendable (TunnelDefinition) throws -> [Operation]
        ) {
            testDescription = description
            self.disturb = disturb
            self.difference = difference
            self.operations = operations
        }
    }

    static let cases = [
        Case(
            "mtu", { $0.mtu = 1480 }, { _ in [.mtu(desired: 1400, observed: 1480)] },
            { _ in [.setMTU(1400)] }),
        Case(
            "down", { ($0.isUp, $0.routes) = (false, []) },
            { [.up(desired: true)] + $0.routes.map { .routeMissing($0) } },
            { [.setUp(true)] + $0.routes.map { .addRoute($0) } }),
        Case(
            "address missing", { $0.addresses = [try address("192.168.1.1/24")] },
            { [.addressMissing($0.addresses[1])] }, { [.addAddress($0.addresses[1])] }),
        Case(
            "address extra", { $0.addresses.insert(try address("10.1.1.1/32")) },
            { _ in [.addressExtra(try address("10.1.1.1/32"))] },
            { _ in [.removeAddress(try address("10.1.1.1/32"))] }),
        Case(
            "address with another length",
            { $0.addresses = try [address("192.168.1.1/25"), address("10.9.9.1 peer 10.9.9.2/32")] },
            { [.addressExtra(try address("192.168.1.1/25")), .addressMissing($0.addresses[0])] },
            { [.removeAddress(try address("192.168.1.1/25")), .addAddress($0.addresses[0])] }),
        Case(
            "route missing", { $0.routes = [try route("10.21.0.0/16")] },
            { [.routeMissing($0.routes[0])] }, { [.addRoute($0.routes[0])] }),
        Case(
            "route extra", { $0.routes.insert(try route("10.22.0.0/16")) },
            { _ in [.routeExtra(try route("10.22.0.0/16"))] },
            { _ in [.removeRoute(try route("10.22.0.0/16"))] }),
        Case(
            "route with another metric",
            { $0.routes = try [route("10.20.0.0/16", metric: 7), route("10.21.0.0/16")] },
            { [.routeExtra(try route("10.20.0.0/16", metric: 7)), .routeMissing($0.routes[0])] },
            { [.removeRoute(try route("10.20.0.0/16", metric: 7)), .addRoute($0.routes[0])] }),
        Case(
            "name", { $0.name = "renamed" }, { _ in [.name(desired: "tun_a", observed: "renamed")] },
            { [.setUp(false), .rename(to: $0.name), .setUp(true)] + $0.routes.map { .addRoute($0) } }),
        Case(
            "name, while it is down", { ($0.name, $0.isUp, $0.routes) = ("renamed", false, []) },
            {
                [.name(desired: "tun_a", observed: "renamed"), .up(desired: true)]
                    + $0.routes.map { .routeMissing($0) }
            },
            { [.setUp(false), .rename(to: $0.name), .setUp(true)] + $0.routes.map { .addRoute($0) } }),
        Case(
            "name and a route too many",
            {
                $0.name = "renamed"
                $0.routes = [try route("10.22.0.0/16")]
            },
            {
                [.name(desired: "tun_a", observed: "renamed"), .routeExtra(try route("10.22.0.0/16"))]
                    + $0.routes.map { .routeMissing($0) }
            },
            { [.setUp(false), .rename(to: $0.name), .setUp(true)] + $0.routes.map { .addRoute($0) } }),
        Case(
            "remote", { $0.parameters?.remote = IPv4Address(172, 16, 1, 63) },
            { _ in [.parameter(field: "remote", desired: "172.16.1.62", observed: "172.16.1.63")] },
            { [.change(kind: .ipip, parameters: LinkParameters($0, underlay: 0))] }),
        Case(
            "local gone", { $0.parameters?.local = nil },
            { _ in [.parameter(field: "local", desired: "172.16.16.22", observed: "any")] },
            { [.change(kind: .ipip, parameters: LinkParameters($0, underlay: 0))] }),
        Case(
            "all of the outer header, in one change",
            {
                $0.parameters?.underlay = 3
                $0.parameters?.ttl = .fixed(9)
                $0.parameters?.tos = .fixed(0)
                $0.parameters?.pmtudisc = false
                $0.parameters?.fwmark = 5
            },
            { _ in
                [
                    .parameter(field: "underlay", desired: "0", observed: "3"),
                    .parameter(field: "ttl", desired: "inherit", observed: "9"),
                    .parameter(field: "tos", desired: "inherit", observed: "0"),
                    .parameter(field: "pmtudisc", desired: "true", observed: "false"),
                    .parameter(field: "fwmark", desired: "0", observed: "5"),
                ]
            },
            { [.change(kind: .ipip, parameters: LinkParameters($0, underlay: 0))] }),
    ]

    @Test(arguments: cases) func aDifferenceAndWhatClosesIt(_ row: Case) throws {
        let wanted = try sample()
        var link = link(of: wanted)
        try row.disturb(&link)
        let plan = try plan(wanted, link)
        #expect(plan.differences == (try row.difference(wanted)))
        #expect(plan.operations == (try row.operations(wanted)))
        #expect(plan.ifindex == link.ifindex)
    }

    @Test func switchedOffItGoesDownAndKeepsItsAddresses() throws {
        let wanted = try sample { $0.enabled = false }
        let operations = try plan(wanted, link(of: try sample())).operations
        #expect(operations.first == .setUp(false))
        #expect(operations.dropFirst() == wanted.routes.map { .removeRoute($0) }.sortedByText[...])
    }

    @Test func whatIsTooMuchGoesBeforeWhatIsMissingComes() throws {
        let wanted = try sample()
        var link = link(of: wanted)
        link.addresses = [try address("192.168.1.9/24")]
        link.routes = [try route("10.99.0.0/16")]
        let operations = try plan(wanted, link).operations
        #expect(
            operations == [.removeAddress(try address("192.168.1.9/24"))]
                + wanted.addresses.map { .addAddress($0) } + [.removeRoute(try route("10.99.0.0/16"))]
                + wanted.routes.map { .addRoute($0) })
    }

    // MARK: - MTU

    @Test(arguments: [(1500, 1480), (9000, 8980), (1400, 1380), (60, 68), (65_536, 65_515), (65_535, 65_515)])
    func anOpenMTUFollowsThePath(_ path: Int, _ followed: Int) throws {
        let wanted = try definition()
        var link = link(of: wanted)
        link.mtu = 1
        let path = UnderlayPath(ifindex: 2, mtu: path, prefixLength: 24)
        #expect(try plan(wanted, link, path: path).operations == [.setMTU(followed)])
    }

    @Test func anOpenMTUWithoutAWayIsLeftAsItIs() throws {
        let wanted = try definition()
        var link = link(of: wanted)
        link.mtu = 1234
        #expect(try plan(wanted, link).operations == [])
    }

    @Test func aGivenMTUDoesNotFollow() throws {
        let wanted = try sample()
        let path = UnderlayPath(ifindex: 2, mtu: 1200, prefixLength: 24)
        #expect(try plan(wanted, link(of: wanted), path: path).operations == [])
    }

    // MARK: - What no operation can close

    @Test func aNameThatAForeignLinkHas() throws {
        let wanted = try definition()
        let foreign = ObservedLink(ifindex: 9, name: "tun_a", kind: "dummy", isUp: true, mtu: 1500)
        let problem = #expect(throws: TunnelProblem.self) { try plan(wanted, foreign) }
        #expect(problem?.code == .nameTaken)
        #expect(problem?.detail.contains("tun_a is a link of kind dummy (ifindex 9)") == true)
        let renamed = {
            var own = link(of: wanted)
            own.name = "moved"
            return own
        }()
        #expect(throws: TunnelProblem.self) { try plan(wanted, renamed, foreign) }
    }

    @Test func endpointsThatAForeignLinkHas() throws {
        let wanted = try sample()
        var foreign = link(of: wanted, id: nil)
        foreign.name = "by_hand"
        let problem = #expect(throws: TunnelProblem.self) { try plan(wanted, foreign) }
        #expect(problem?.code == .endpointsTaken)
        #expect(problem?.detail.contains("by_hand (ifindex 7)") == true)
        #expect(problem?.detail.contains("172.16.16.22 to 172.16.1.62") == true)
        foreign.parameters?.underlay = 2
        #expect(try plan(wanted, foreign).differences == [.linkMissing])
    }

    @Test func anUnderlayIsFoundByItsName() throws {
        let wanted = try sample { $0.underlay = try name("eth0") }
        let problem = #expect(throws: TunnelProblem.self) { try plan(wanted, link(of: wanted)) }
        #expect(problem?.code == .underlayMissing)
        #expect(problem?.detail.contains("eth0") == true)
        let eth0 = ObservedLink(ifindex: 42, name: "eth0", kind: "", isUp: true, mtu: 1500)
        #expect(try plan(wanted, eth0, link(of: wanted, underlay: 42)).operations == [])
        let moved = try plan(wanted, eth0, link(of: wanted, underlay: 41))
        #expect(moved.differences == [.parameter(field: "underlay", desired: "42", observed: "41")])
    }

    // MARK: - Which link it is

    @Test func theLinkIsKnownByItsMarkNotItsName() throws {
        let wanted = try sample()
        var other = link(of: wanted, id: id(2))
        other.name = "tun_b"
        other.parameters?.remote = IPv4Address(1, 1, 1, 1)
        #expect(try plan(wanted, other).differences == [.linkMissing])
    }

    @Test func ofTwoLinksWithOneMarkTheOlderStaysAndTheOtherGoes() throws {
        let wanted = try sample()
        let own = link(of: wanted)
        var copy = own
        (copy.ifindex, copy.name) = (8, "copy")
        copy.parameters?.remote = IPv4Address(1, 1, 1, 1)
        for links in [[own, copy], [copy, own]] {
            let observed = ObservedState(links: links)
            #expect(try Tunnels.plan(for: tunnel(wanted), in: observed).operations == [])
            #expect(prune(observed, keeping: [id(1)]) == [.delete(id(1), name: "copy", ifindex: 8)])
        }
    }

    @Test func onlyMarkedLinksWithoutATunnelArePruned() throws {
        let wanted = try sample()
        let own = link(of: wanted)
        var orphan = link(of: wanted, id: id(2))
        (orphan.ifindex, orphan.name) = (8, "orphan")
        var foreign = link(of: wanted, id: nil)
        (foreign.ifindex, foreign.name) = (9, "tunl0")
        let observed = ObservedState(links: [own, orphan, foreign])
        #expect(prune(observed, keeping: [id(1)]) == [.delete(id(2), name: "orphan", ifindex: 8)])
        #expect(prune(observed, keeping: []).map(\.ifindex) == [7, 8])
        #expect(prune(observed, keeping: [id(1), id(2)]) == [])
    }
}

extension [Operation] {
    fileprivate var sortedByText: Self { sorted { "\($0)" < "\($1)" } }
}
