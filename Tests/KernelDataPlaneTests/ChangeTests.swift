import KernelDataPlane
import Netlink
import Testing
import Tunnels

extension OnTheKernel {
    /// Changing links in place.
    @Suite struct ChangeTests {
        struct Case: CustomTestStringConvertible, Sendable {
            let testDescription: String
            let edit: @Sendable (inout TunnelDefinition) throws -> Void

            init(_ description: String, _ edit: @escaping @Sendable (inout TunnelDefinition) throws -> Void) {
                testDescription = description
                self.edit = edit
            }
        }

        static let cases = [
            Case("remote") { $0.remote = IPv4Address(172, 16, 9, 9) },
            Case("local") { $0.local = nil },
            Case("underlay") { $0.underlay = nil },
            Case("ttl") { $0.ttl = .fixed(9) },
            Case("ttl inherited") { $0.ttl = .inherit },
            Case("tos") { $0.tos = .fixed(0x20) },
            Case("tos inherited") { $0.tos = .inherit },
            Case("tos fixed to zero") { $0.tos = .fixed(0) },
            Case("pmtudisc") { ($0.ttl, $0.pmtudisc) = (.inherit, false) },
            Case("fwmark") { $0.fwmark = .max },
            Case("no fwmark") { $0.fwmark = nil },
            Case("mtu") { $0.mtu = 68 },
            Case("largest mtu") { $0.mtu = 65_515 },
            Case("followed mtu") { $0.mtu = nil },
            Case("name") { $0.name = try name("renamed") },
            Case("off") { $0.enabled = false },
            Case("no addresses") { $0.addresses = [] },
            Case("no routes") { $0.routes = [] },
            Case("neither") { ($0.addresses, $0.routes) = ([], []) },
            Case("another length") { $0.addresses = [try address("192.168.1.1/25")] },
            Case("another peer") { $0.addresses = [try address("192.168.1.1 peer 192.168.1.9/32")] },
            Case("the primary gone") { $0.addresses.removeFirst() },
            Case("another primary") { $0.addresses[0] = try address("192.168.1.9/24") },
            Case("other order") { $0.addresses.reverse() },
            Case("another metric") { $0.routes[0] = try route("10.20.0.0/16", metric: 9) },
            Case("default route") { $0.routes.append(try route("0.0.0.0/0", metric: 4_000_000_000)) },
            Case("all at once") {
                $0 = try tunnel(1) { $0.name = try name("other") }.definition
                $0.remote = IPv4Address(172, 16, 9, 9)
                $0.tos = .fixed(4)
                $0.addresses = [try address("192.168.7.1/30")]
                $0.routes = [try route("10.30.0.0/16")]
            },
        ]

        private func sample() throws -> Tunnel {
            try tunnel(1) {
                $0.local = IPv4Address(172, 16, 0, 1)
                $0.underlay = try name("eth0")
                $0.addresses = try [
                    address("192.168.1.1/24"), address("192.168.1.2/24"), address("10.9.9.1 peer 10.9.9.2/32"),
                ]
                $0.routes = try [route("10.20.0.0/16", metric: 100), route("10.21.0.0/16")]
                ($0.mtu, $0.ttl, $0.tos, $0.fwmark) = (1300, .fixed(64), .fixed(0x10), 7)
            }
        }

        /// Every field, in place: the link stays, its counters go on.
        @Test(arguments: cases) func aChangeKeepsTheLinkAndItsCounters(_ row: Case) throws {
            let host = try Host()
            let before = try sample()
            let made = try host.settle(before)
            // Something to count: packets into the tunnel, whether the other end answers or not.
            try host.run("ping", ["-q", "-c", "2", "-i", "0.002", "-W", "0.01", "10.21.0.1"], mayFail: true)
            let counters = try host.counters(of: made.ifindex)
            #expect(counters.tx.packets >= 2)

            var after = before
            try row.edit(&after.definition)
            #expect(after.definition.violations() == [])
            let changed = try host.settle(after)
            #expect(changed.ifindex == made.ifindex)
            #expect(try host.counters(of: changed.ifindex).tx.packets >= counters.tx.packets)
            let back = try host.settle(before)
            #expect(back == made)
        }

        @Test func aRenamedLinkStaysUpWithItsRoutes() throws {
            let host = try Host()
            var wanted = try sample()
            let before = try host.settle(wanted)
            wanted.definition.name = try name("renamed")
            let results = host.plane.apply([try plan(for: wanted, in: host.observe(wanted))])
            #expect(results[0].problem == nil)
            let after = try #require(try host.link(of: wanted))
            #expect(after.isUp)
            #expect((after.ifindex, after.routes, after.addresses) == (before.ifindex, before.routes, before.addresses))
        }

        @Test func aNameThatIsTakenIsRefusedAndNothingElseIsLost() throws {
            let host = try Host()
            try host.ip("link add taken type dummy")
            let before = try sample()
            try host.settle(before)
            var wanted = before
            wanted.definition.name = try name("taken")
            let observed = ObservedState(links: try host.observe(before).links.filter { $0.name != "taken" })
            let problem = try #require(host.plane.apply([try plan(for: wanted, in: observed)])[0].problem)
            #expect(problem.code == .nameTaken)
            #expect(problem.detail.contains("taken is a link of kind dummy"))
            try host.settle(before)
        }

        @Test func endpointsThatAreTakenAreRefused() throws {
            let host = try Host()
            try host.ip("link add by_hand type ipip local 172.16.0.1 remote 172.16.9.9 dev eth0")
            let before = try sample()
            try host.settle(before)
            var wanted = before
            wanted.definition.remote = IPv4Address(172, 16, 9, 9)
            let observed = ObservedState(links: try host.observe(before).links.filter { $0.name != "by_hand" })
            let problem = try #require(host.plane.apply([try plan(for: wanted, in: observed)])[0].problem)
            #expect(problem.code == .endpointsTaken)
            #expect(problem.detail.contains("by_hand"))
            try host.settle(before)
        }

        @Test func anOpenMTUFollowsTheUnderlay() throws {
            let host = try Host()
            let wanted = try tunnel(1)
            #expect(try host.settle(wanted).mtu == 1480)
            try host.ip("link set eth0 mtu 1400")
            host.plane.forget()
            #expect(try host.settle(wanted).mtu == 1380)
            // A route's own MTU counts more than its link's.
            try host.ip("route add 172.16.1.1/32 dev eth0 mtu 1200")
            host.plane.forget()
            #expect(try host.settle(wanted).mtu == 1180)
        }

        @Test func anOpenMTUFollowsTheUnderlayThatTheTunnelNames() throws {
            let host = try Host()
            try host.ip(
                "link add eth1 type veth peer name far1", "link set eth1 mtu 1400 up", "link set far1 up",
                "address add 172.17.0.1/16 dev eth1")
            // The way to the remote leads by eth0; the tunnel takes eth1 all the same.
            let wanted = try tunnel(1) { $0.underlay = try name("eth1") }
            #expect(try host.settle(wanted).mtu == 1380)
            try host.ip("route add 172.16.1.1/32 dev eth1 mtu 1300 metric 7")
            host.plane.forget()
            #expect(try host.settle(wanted).mtu == 1280)
            #expect(try host.settle(try tunnel(2)).mtu == 1480)
        }

        @Test func withoutAWayTheMTUStaysWhereItIs() throws {
            let host = try Host()
            let wanted = try tunnel(1) { $0.remote = IPv4Address(203, 0, 113, 1) }
            try host.settle(wanted)
        }
    }
}

extension Host {
    func counters(of ifindex: Int32) throws -> Tunnels.LinkCounters {
        let source = try namespace.run { try KernelCounters() }
        let table = try source.counters()
        return table.counters[try #require(table.positions(of: [ifindex])[0])]
    }
}
