import KernelDataPlane
import Netlink
import Testing
import Tunnels

extension OnTheKernel {
    /// Links that iproute2 made, in the kernel's own words and taken over.
    @Suite struct AdoptionTests {
        private func makeByHand(_ host: Host) throws {
            try host.ip(
                "link add by_hand type ipip local 172.16.0.1 remote 172.16.200.1 ttl 64 tos 0x10 dev eth0",
                "link set by_hand alias mine group 77 up", "address add 10.77.0.1/24 dev by_hand",
                "address add 10.77.0.2/24 dev by_hand", "address add 10.66.0.1 peer 10.66.0.2/32 dev by_hand",
                "route add 10.78.0.0/16 dev by_hand", "route add 10.79.0.0/16 dev by_hand metric 5 proto static")
        }

        private func found(_ host: Host, _ name: String = "by_hand") throws -> UnmanagedTunnel {
            try #require(try host.plane.unmanagedTunnel(named: name))
        }

        private func adoption(_ host: Host, _ name: String = "by_hand") throws -> Adoption {
            Adoption(of: try found(host, name), on: .kernel, besides: TakenPlaces([]))
        }

        /// As the reconciler does: the first step, then what a look does.
        @discardableResult
        private func adopt(_ host: Host, id: TunnelID) throws -> Tunnel {
            let (found, adoption) = (try found(host), try adoption(host))
            #expect(adoption.obstacles == [])
            try host.plane.handOver(.taking(found, adoption, for: id))
            let time = Timestamp(milliseconds: 0)
            let tunnel = Tunnel(
                id: id, definition: try #require(adoption.definition), revision: 1, createdAt: time, updatedAt: time)
            // Half of the mark is all that is missing.
            #expect(try plan(for: tunnel, in: host.observe(tunnel)).operations == [.mark])
            try host.settle(tunnel)
            return tunnel
        }

        @Test func theDefinitionIsWhatIproute2Made() throws {
            let host = try Host()
            try makeByHand(host)
            let adoption = try adoption(host)
            var expected = TunnelDefinition(name: try name("by_hand"), remote: IPv4Address(172, 16, 200, 1))
            expected.local = IPv4Address(172, 16, 0, 1)
            expected.ttl = .fixed(64)
            expected.tos = .fixed(16)
            expected.underlay = try name("eth0")
            expected.addresses = adoption.definition?.addresses ?? []
            expected.routes = [try route("10.78.0.0/16"), try route("10.79.0.0/16", metric: 5)]
            #expect(adoption.definition == expected)
            let addresses = try [
                address("10.77.0.1/24"), address("10.77.0.2/24"), address("10.66.0.1 peer 10.66.0.2/32"),
            ]
            #expect(Set(expected.addresses) == Set(addresses))
            #expect(adoption.obstacles == [])
            // iproute2 makes links of this mode unless told otherwise.
            #expect(adoption.unmanaged.map(\.field) == ["mode"])
            try host.ip("tunnel add t mode ipip remote 172.16.200.7")
            #expect(try self.adoption(host, "t").unmanaged == [])
            #expect(try found(host).group == 77 && found(host).alias == "mine")
            try host.ip("link set by_hand mtu 1400")
            #expect(try self.adoption(host).definition?.mtu == 1400)
        }

        @Test func takenOverItKeepsNumberCountersAndRoutes() throws {
            let host = try Host()
            try makeByHand(host)
            // Packets that go nowhere are counted all the same.
            try host.run("ping", ["-c", "3", "-i", "0.01", "-W", "1", "10.78.0.1"], mayFail: true)
            let before = try #require(try host.shown().first { $0.ifname == "by_hand" })
            let sent = try host.show("-s link show by_hand").split(separator: "\n").last
            let wanted = try adopt(host, id: try tunnel(1).id)
            let after = try #require(try host.shown().first { $0.ifname == "by_hand" })
            #expect(after.ifindex == before.ifindex)
            #expect(after.flags == before.flags && after.mtu == before.mtu)
            #expect(after.ifalias == "tunneld:" + wanted.id.text)
            #expect(try host.show("-s link show by_hand").split(separator: "\n").last == sent)
            #expect(try host.show("route show proto 116").contains("10.79.0.0/16 dev by_hand scope link metric 5"))
            #expect(try host.link(of: wanted)?.routes == Set(wanted.definition.routes))
            // Nobody else's word makes it another's, and no tunnel's end takes it away.
            #expect(prune(try host.observe(), keeping: []) == [])

            // Changed in its place, as any other.
            var changed = wanted
            changed.definition.ttl = .inherit
            changed.definition.addresses = [try address("10.77.0.9/24")]
            changed.definition.name = try name("renamed")
            changed.definition.underlay = nil
            #expect(try host.settle(changed).ifindex == before.ifindex)
            try host.ip("link set renamed group 0")
            #expect(try plan(for: changed, in: host.observe(changed)).operations == [.mark])
            try host.settle(changed)

            let link = try #require(try host.link(of: changed))
            try host.plane.handOver(.loosening(link.ifindex))
            #expect(prune(try host.observe(), keeping: []) == [])
            try host.plane.handOver(.releasing(link))
            let free = try #require(try host.shown().first { $0.ifname == "renamed" })
            #expect(free.ifindex == before.ifindex && free.ifalias == nil && free.group == "default")
            #expect(free.flags == before.flags)
            #expect(try host.show("route show dev renamed proto static").contains("10.78.0.0/16"))
            #expect(try host.show("route show proto 116") == "")
            #expect(try host.observe(changed).links.allSatisfy { $0.owner == nil && $0.remains == nil })
        }

        /// The kernel tells of a replacement, of no deletion, and of no change of the link's flags.
        @Test func routesAreReplacedWithoutAGap() throws {
            let host = try Host()
            try makeByHand(host)
            let monitor = try host.namespace.run { try LinkMonitor() }
            let (found, adoption) = (try found(host), try adoption(host))
            try host.plane.handOver(.taking(found, adoption, for: try tunnel(1).id))
            let taken = try monitor.read()
            #expect(taken.routeProtocols == [RouteProtocol(rawValue: 116)])
            try host.plane.handOver(.givingBack(found, adoption))
            let givenBack = try monitor.read()
            #expect(givenBack.routeProtocols == [.boot, .static])
            for event in taken.events.union(givenBack.events) {
                #expect(event.interface == UInt32(bitPattern: found.link.ifindex))
                switch event.kind {
                case .link, .route: break
                default: Issue.record("\(event)")
                }
            }
            let shown = try #require(try host.shown().first { $0.ifname == "by_hand" })
            #expect(shown.ifalias == "mine" && shown.group == "77")
            #expect(try host.show("route show proto static").contains("10.79.0.0/16 dev by_hand scope link metric 5"))
            #expect(try host.show("route show proto boot").contains("10.78.0.0/16 dev by_hand scope link"))
        }

        /// A route that another one stands in front of, with the same metric, isn't replaced: the other would be.
        @Test func somebodyElsesRouteIsntTaken() throws {
            let host = try Host()
            try makeByHand(host)
            let (found, adoption) = (try found(host), try adoption(host))
            try host.ip("route prepend 10.78.0.0/16 dev eth0")
            let routes = try host.show("route show")
            try host.plane.handOver(.taking(found, adoption, for: try tunnel(1).id))
            #expect(try host.show("route show 10.78.0.0/16").contains("116") == false)
            #expect(try host.show("route show").split(separator: "\n").count == routes.split(separator: "\n").count)
            let seen = try self.adoption(host)
            #expect(seen.definition?.routes == [try route("10.79.0.0/16", metric: 5)])
            #expect(seen.unmanaged.map(\.field) == ["routes", "mode"])
        }

        @Test(arguments: [
            ("external", "link add x type ipip external"),
            ("remote", "link add x type ipip local 172.16.0.1"),
            ("mode", "link add x type ipip remote 172.16.200.1 mode mplsip"),
            ("tos", "link add x type ipip remote 172.16.200.1 tos 0x12"),
            ("remote", "link add x type ipip remote 224.0.0.9 dev eth0"),
        ]) func whatCantBeSaidIsNamed(_ field: String, _ command: String) throws {
            let host = try Host()
            try host.ip(command, "link set x up")
            #expect(try adoption(host, "x").obstacles.map(\.field) == [field])
        }

        @Test func tunl0IsTheKernels() throws {
            let host = try Host()
            #expect(try adoption(host, "tunl0").obstacles.map(\.field).contains("name"))
            #expect(try adoption(host, "tunl0").definition == nil)
        }

        @Test func otherKindsAreNoTunnels() throws {
            let host = try Host()
            #expect(try host.plane.unmanagedTunnel(named: "eth0") == nil)
            #expect(try host.plane.unmanagedTunnel(named: "nothing") == nil)
            #expect(try host.plane.unmanagedTunnel(named: "longer than any link's name") == nil)
        }

        @Test func aLinkOfAnotherNamespaceIsNamed() throws {
            let (host, other) = (try Host(), try Host())
            try other.ip("link add moved type ipip remote 172.16.200.1")
            try other.run("ip", ["link", "set", "moved", "netns", host.namespace.path])
            #expect(try adoption(host, "moved").obstacles.map(\.field) == ["local"])
        }

        @Test func whatStaysIsNamed() throws {
            let host = try Host()
            try makeByHand(host)
            try host.run("modprobe", ["ipv6"])
            try host.run("modprobe", ["vrf"])
            try host.ip(
                "link add vrf7 type vrf table 7", "link set vrf7 up", "link add inside type ipip remote 172.16.200.2",
                "link set inside master vrf7 up", "address add 2001:db8::1/64 dev inside")
            #expect(try self.adoption(host, "inside").unmanaged.map(\.field) == ["addresses", "master", "mode"])
            try host.ip(
                "route add 10.80.0.0/16 dev by_hand table 7", "route add 10.81.0.0/16 dev by_hand src 10.77.0.1",
                "route add 10.82.0.0/16 dev by_hand proto 12", "route add 10.83.0.0/16 via 10.77.0.7 dev by_hand",
                "address add 10.84.0.1/24 dev by_hand valid_lft 900 preferred_lft 900")
            let adoption = try adoption(host)
            #expect(adoption.obstacles == [])
            #expect(adoption.unmanaged.map(\.field) == ["routes", "routes", "routes", "routes", "addresses", "mode"])
            let details = adoption.unmanaged.map(\.detail).joined(separator: "\n")
            for words in ["table 7", "src 10.77.0.1", "protocol 12", "via 10.77.0.7", "10.84.0.1/24"] {
                #expect(details.contains(words), "\(details)")
            }
            let before = try host.show("route show table all dev by_hand proto boot")
            try adopt(host, id: try tunnel(1).id)
            let after = try host.show("route show table all dev by_hand proto boot")
            #expect(before.split(separator: "\n").count == after.split(separator: "\n").count + 1)
        }
    }
}
