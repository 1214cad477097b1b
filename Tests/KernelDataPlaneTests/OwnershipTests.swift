import KernelDataPlane
import Testing
import Tunnels

extension OnTheKernel {
    /// What is ours, and that nothing else goes.
    @Suite struct OwnershipTests {
        /// Links of other people, some of which look a little like ours.
        private func addForeign(to host: Host) throws {
            try host.ip(
                "link add plain type dummy", "link add grouped type dummy", "link set grouped group 77",
                "link add by_hand type ipip remote 172.16.200.1", "link set by_hand up",
                "address add 10.77.0.1/24 dev by_hand", "route add 10.78.0.0/16 dev by_hand proto 116")
        }

        private func foreign(on host: Host) throws -> [ObservedLink] {
            try host.observe().links.filter { $0.owner == nil }
        }

        @Test func aDeleteTakesItsLinkAndNothingElse() throws {
            let host = try Host()
            try addForeign(to: host)
            let before = try foreign(on: host)
            #expect(before.contains { $0.name == "tunl0" })
            let routes = try host.show("route show")
            let (first, second) = (
                try tunnel(1) { $0.routes = [try route("10.1.0.0/16")] }, try tunnel(2)
            )
            let link = try host.settle(first)
            try host.settle(second)
            let answer = host.plane.apply([.delete(first.id, name: "tun_1", ifindex: link.ifindex)])[0]
            #expect(try answer.get() == nil)
            #expect(try host.link(of: first) == nil)
            #expect(try host.link(of: second) != nil)
            #expect(try foreign(on: host) == before)
            #expect(try host.show("route show") == routes)
        }

        @Test func aHundredDeletesTakeNothingElse() throws {
            let host = try Host()
            try addForeign(to: host)
            let before = try foreign(on: host)
            let wanted = try (1...101).map { try tunnel($0) }
            let links = host.plane.apply(try wanted.map { try plan(for: $0, in: ObservedState(links: [])) })
            let indexes = try links.map { try #require(try $0.get()).ifindex }
            // A link of somebody else's in each of some groups that one might pick.
            for number in 0..<5 {
                try host.ip("link add f\(number) type dummy", "link set f\(number) group \(0x7475_0001 + number)")
            }
            let others = try foreign(on: host)
            #expect(others.count == before.count + 5)
            let plans = zip(wanted, indexes).dropLast().map {
                TunnelPlan.delete($0.id, name: $0.name.text, ifindex: $1)
            }
            // Some are gone before.
            try host.ip("link delete tun_3", "link delete tun_50", "link delete tun_99")
            let results = host.plane.apply(plans)
            #expect(results.count == 100)
            #expect(results.allSatisfy { $0.problem == nil })
            #expect(try foreign(on: host) == others)
            #expect(try host.observe().links.compactMap(\.owner) == [wanted[100].id])
            #expect(try host.link(of: wanted[100])?.name == "tun_101")
        }

        @Test func deletesAndCreatesInOneBatch() throws {
            let host = try Host()
            let former = try tunnel(1) { $0.routes = [try route("10.1.0.0/16")] }
            let link = try host.settle(former)
            let other = try host.settle(try tunnel(2))
            // The heir has the name, the endpoints and the route.
            var heir = try tunnel(3) { $0 = former.definition }
            heir.definition.comment = "heir"
            let results = host.plane.apply([
                try plan(for: heir, in: ObservedState(links: [])),
                .delete(former.id, name: "tun_1", ifindex: link.ifindex),
                .delete(try tunnel(2).id, name: "tun_2", ifindex: other.ifindex),
            ])
            #expect(results.map { $0.problem } == [nil, nil, nil])
            #expect(try host.observe().links.compactMap(\.owner) == [heir.id])
            try host.settle(heir)
        }

        @Test func deletingWhatIsAbsentIsSuccess() throws {
            let host = try Host()
            let wanted = try tunnel(1)
            let link = try host.settle(wanted)
            let plan = TunnelPlan.delete(wanted.id, name: "tun_1", ifindex: link.ifindex)
            for _ in 0..<2 { #expect(try host.plane.apply([plan])[0].get() == nil) }
            let twice = host.plane.apply([plan, .delete(wanted.id, name: "x", ifindex: link.ifindex + 1000)])
            #expect(twice.allSatisfy { $0.problem == nil })
        }

        @Test func removingAddressesAndRoutesThatAreAbsentIsSuccess() throws {
            let host = try Host()
            let wanted = try tunnel(1)
            let link = try host.settle(wanted)
            let answer = try host.apply(
                [.removeAddress(try address("10.1.1.1/24")), .removeRoute(try route("10.5.0.0/16"))], to: wanted,
                ifindex: link.ifindex)
            #expect(answer.problem == nil)
        }

        @Test func onlyWhatWeMadeIsOurs() throws {
            let host = try Host()
            try addForeign(to: host)
            let foreign = try host.observe()
            #expect(foreign.links.allSatisfy { $0.owner == nil })
            // A route with our number by somebody else's link isn't looked at.
            #expect(foreign.link(named: "by_hand")?.routes == [])
            let wanted = try tunnel(1)
            try host.settle(wanted)
            // Our alias, copied; our group, copied; both, on another kind of link.
            let (alias, group) = ("tunneld:" + wanted.id.text, 0x7475_0000)
            try host.ip(
                "link set by_hand alias \(alias)", "link set plain alias \(alias)", "link set plain group \(group)",
                "link add copy type ipip remote 172.16.200.2", "link set copy group \(group)",
                "link set copy alias tunneld:nonsense")
            let observed = try host.observe(wanted)
            #expect(observed.links.filter { $0.owner != nil }.map(\.name) == ["tun_1"])
            #expect(prune(observed, keeping: []).map(\.name) == ["tun_1"])
        }

        /// By group or alias alone a link is still known, where its tunnel has no other; without both it isn't ours.
        @Test func aLinkThatLostHalfItsMarkGetsItBack() throws {
            let host = try Host()
            let wanted = try tunnel(1)
            try host.settle(wanted)
            for change in ["alias mine", "group 0"] {
                try host.ip("link set tun_1 \(change)")
                #expect(try plan(for: wanted, in: host.observe(wanted)).operations == [.mark])
                try host.settle(wanted)
                #expect(try host.link(of: wanted)?.remains == nil)
            }
            try host.ip("link set tun_1 alias mine group 0")
            #expect(try host.link(of: wanted) == nil)
            let problem = #expect(throws: TunnelProblem.self) { try plan(for: wanted, in: host.observe(wanted)) }
            #expect(problem?.code == .nameTaken)
        }

        @Test func routesOfTheKernelAndOfOthersAreLeftAlone() throws {
            let host = try Host()
            let wanted = try tunnel(1) {
                $0.addresses = [try address("192.168.1.1/24")]
                $0.routes = [try route("10.20.0.0/16")]
            }
            try host.settle(wanted)
            try host.ip("route add 10.30.0.0/16 dev tun_1", "route add 10.31.0.0/16 dev tun_1 proto 116")
            let plan = try plan(for: wanted, in: host.observe(wanted))
            #expect(plan.operations == [.removeRoute(try route("10.31.0.0/16"))])
            try host.settle(wanted)
            #expect(try host.show("route show dev tun_1").contains("10.30.0.0/16"))
        }

        @Test func withIPv6NoLinkLocalAddressIsMade() throws {
            // The module, where it isn't part of the kernel.
            let host = try Host()
            try host.run("modprobe", ["ipv6"])
            try host.settle(try tunnel(1))
            try host.settle(try tunnel(2) { $0.mtu = 1000 })
            #expect(try host.show("-6 address show dev tun_1") == "")
            #expect(try host.show("-d link show tun_1").contains("addrgenmode none"))
            #expect(try host.show("-6 address show dev tun_2") == "")
            #expect(try host.show("-6 address show dev eth0").contains("fe80::"))
            // Too small for IPv6, and still made.
            try host.settle(try tunnel(3) { $0.mtu = 68 })
        }
    }
}
