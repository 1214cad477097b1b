import KernelDataPlane
import Testing
import Tunnels

extension OnTheKernel {
    /// Making links, and being refused.
    @Suite struct CreateTests {
        @Test func aTunnelWithAllThatBelongsToItIsMadeInOneSend() throws {
            let host = try Host()
            let wanted = try tunnel(1) {
                $0.local = IPv4Address(172, 16, 0, 1)
                $0.addresses = try [address("192.168.1.1/24"), address("10.9.9.1 peer 10.9.9.2/32")]
                $0.routes = try [route("10.20.0.0/16", metric: 100), route("10.21.0.0/16")]
                ($0.mtu, $0.ttl, $0.tos, $0.fwmark) = (1300, .fixed(64), .fixed(0x10), 7)
                $0.underlay = try name("eth0")
            }
            let applied = try #require(try host.apply(wanted).get())
            #expect(applied.mtu == 1300)
            #expect(applied.isUp)
            let link = try #require(try host.link(of: wanted))
            #expect(link.ifindex == applied.ifindex)
            #expect(link.name == "tun_1")
            #expect(link.kind == "ipip")
            #expect(link.addresses == Set(wanted.definition.addresses))
            #expect(link.routes == Set(wanted.definition.routes))
            #expect(try plan(for: wanted, in: host.observe(wanted)).operations == [])

            let shown = try #require(try host.shown().first { $0.ifname == "tun_1" })
            let data = try #require(shown.linkinfo?.infoData)
            #expect(shown.flags.contains("UP"))
            #expect(shown.ifalias == "tunneld:" + wanted.id.text)
            #expect(data.proto == "ipip")
            #expect((data.local, data.remote, data.link) == ("172.16.0.1", "172.16.1.1", "eth0"))
            #expect((data.ttl, data.tos, data.pmtudisc, data.fwmark) == (64, "0x10", true, "0x7"))
            let routes = try host.show("-4 route show dev tun_1")
            #expect(routes.contains("10.20.0.0/16 proto 116 scope link metric 100"))
            #expect(routes.contains("192.168.1.0/24 proto kernel scope link src 192.168.1.1"))
            #expect(try host.show("-4 address show dev tun_1").contains("inet 10.9.9.1 peer 10.9.9.2/32"))
        }

        @Test func theLeastDefinitionGetsTheDefaults() throws {
            let host = try Host()
            let wanted = try tunnel(1)
            let applied = try #require(try host.apply(wanted).get())
            #expect(applied.mtu == 1480)
            #expect(try plan(for: wanted, in: host.observe(wanted)).operations == [])
            let data = try #require(try host.shown().first { $0.ifname == "tun_1" }?.linkinfo?.infoData)
            // tos 1 is "inherit" in the kernel's words.
            #expect((data.local, data.ttl, data.tos, data.pmtudisc, data.fwmark) == ("any", 0, "0x1", true, nil))
        }

        @Test func oneThatIsOffIsMadeDown() throws {
            let host = try Host()
            let wanted = try tunnel(1) {
                $0.enabled = false
                $0.addresses = [try address("192.168.1.1/24")]
                $0.routes = [try route("10.20.0.0/16")]
            }
            let applied = try #require(try host.apply(wanted).get())
            #expect(!applied.isUp)
            let link = try #require(try host.link(of: wanted))
            #expect(link.addresses.count == 1)
            #expect(link.routes == [])
            #expect(try plan(for: wanted, in: host.observe(wanted)).operations == [])
        }

        @Test func aHundredAreMadeAtOnce() throws {
            let host = try Host()
            let wanted = try (1...100).map { number in
                try tunnel(number) {
                    $0.addresses = [InterfaceAddress(local: IPv4Address(10, 1, 0, UInt8(number)), prefixLength: 32)]
                    $0.routes = [
                        TunnelRoute(to: IPv4Prefix(containing: IPv4Address(10, 2, UInt8(number), 0), length: 24))
                    ]
                }
            }
            let observed = try host.plane.observe(for: wanted)
            let results = host.plane.apply(try wanted.map { try plan(for: $0, in: observed) })
            #expect(results.allSatisfy { $0.problem == nil })
            let after = try host.plane.observe(for: wanted)
            #expect(try wanted.allSatisfy { try plan(for: $0, in: after).operations.isEmpty })
            #expect(Set(after.links.map(\.ifindex)).count == after.links.count)
        }

        // MARK: - Refusals

        @Test func aNameThatAForeignLinkHas() throws {
            let host = try Host()
            try host.ip("link add tun_1 type dummy")
            let wanted = try tunnel(1)
            // The plan sees it, and so does the kernel where nobody looked.
            #expect(throws: TunnelProblem.self) { try plan(for: wanted, in: host.observe(wanted)) }
            let blind = try plan(for: wanted, in: ObservedState(links: []))
            let problem = try #require(host.plane.apply([blind])[0].problem)
            #expect(problem.code == .nameTaken)
            #expect(problem.detail.contains("tun_1 is a link of kind dummy"))
            #expect(try host.observe().links.filter { $0.kind == "dummy" }.count == 1)
        }

        @Test func endpointsThatAForeignTunnelHas() throws {
            let host = try Host()
            try host.ip("link add by_hand type ipip local 172.16.0.1 remote 172.16.1.1")
            let wanted = try tunnel(1) { $0.local = IPv4Address(172, 16, 0, 1) }
            let blind = try plan(for: wanted, in: ObservedState(links: []))
            let problem = try #require(host.plane.apply([blind])[0].problem)
            #expect(problem.code == .endpointsTaken)
            #expect(problem.detail.contains("by_hand"))
            #expect(problem.detail.contains("172.16.0.1 to 172.16.1.1"))
            #expect(try host.observe().links.contains { $0.name == "tun_1" } == false)
            // The same pair by another underlay is another tunnel.
            let other = try tunnel(1) {
                $0.local = IPv4Address(172, 16, 0, 1)
                $0.underlay = try name("eth0")
            }
            try host.settle(other)
        }

        @Test func aRouteThatSomebodyElseHas() throws {
            let host = try Host()
            try host.ip("route add 10.20.0.0/16 dev eth0 metric 50")
            let wanted = try tunnel(1) {
                $0.addresses = [try address("192.168.1.1/24")]
                $0.routes = try [route("10.19.0.0/16"), route("10.20.0.0/16", metric: 50)]
            }
            let problem = try #require(try host.apply(wanted).problem)
            #expect(problem.code == .routeTaken)
            #expect(problem.errno == "EEXIST")
            #expect(problem.detail.contains("10.20.0.0/16 with metric 50 by eth0"))
            // It leaves no link, and the other's route.
            #expect(try host.link(of: wanted) == nil)
            #expect(try host.shown().contains { $0.ifname == "tun_1" } == false)
            #expect(try host.show("route show 10.20.0.0/16").contains("dev eth0"))
            let free = try tunnel(1) { $0.routes = [try route("10.20.0.0/16", metric: 51)] }
            try host.settle(free)
        }

        @Test func oneRefusedAmongManyDoesNotKeepTheOthers() throws {
            let host = try Host()
            try host.ip("link add tun_5 type dummy")
            let wanted = try (1...10).map { try tunnel($0) }
            let plans = try wanted.map { try plan(for: $0, in: ObservedState(links: [])) }
            let results = host.plane.apply(plans)
            #expect(results.map { $0.problem?.code } == (1...10).map { $0 == 5 ? .nameTaken : nil })
            #expect(try host.observe().links.filter { $0.owner != nil }.count == 9)
        }

        @Test func aMissingUnderlayIsNamed() throws {
            let host = try Host()
            let wanted = try tunnel(1) { $0.underlay = try name("eth9") }
            let problem = #expect(throws: TunnelProblem.self) { try plan(for: wanted, in: host.observe(wanted)) }
            #expect(problem?.code == .underlayMissing)
        }

        @Test func theKernelsWordsReachTheUser() throws {
            let host = try Host()
            // An address that the validation wouldn't let through.
            let wanted = try tunnel(1) { $0.addresses = [try address("10.1.1.1/24"), try address("10.1.1.1/24")] }
            let problem = try #require(try host.apply(wanted).problem)
            #expect(problem.code == .kernelRefused)
            #expect(problem.errno == "EEXIST")
            #expect(problem.detail.contains("10.1.1.1/24"))
            #expect(try host.shown().contains { $0.ifname == "tun_1" } == false)
            let off = try tunnel(1) { $0.enabled = false }
            let link = try host.settle(off)
            let route = Tunnels.Operation.addRoute(try route("10.1.0.0/16"))
            let words = try #require(try host.apply([route], to: off, ifindex: link.ifindex).problem)
            #expect(words.errno == "ENETDOWN")
            #expect(words.kernelMessage == "Device for nexthop is not up")
        }

        @Test func aForeignLinkWithTheHighestIndexIsNoObstacle() throws {
            let host = try Host()
            try host.ip("link add high index 2147483647 type dummy")
            try host.settle(try tunnel(1))
        }
    }
}
