import Testing
import Tunnels

@Suite struct HostReportTests {
    private func report(ipip: HostReport.Module.State, mayAdminister: Bool) -> HostReport {
        HostReport(
            kernelRelease: "6.1.0", hostname: "a",
            modules: [.init(name: "ipip", state: ipip), .init(name: "tun", state: .missing)],
            forwardsIPv4: nil, reversePathFilter: nil, canAdministerNetwork: mayAdminister,
            canLoadModules: true)
    }

    @Test(arguments: [HostReport.Module.State.builtIn, .loaded, .loadable])
    func aHostThatHasOrCanLoadIpipLacksNothing(_ state: HostReport.Module.State) {
        #expect(report(ipip: state, mayAdminister: true).shortcomings == [])
    }

    @Test func whatIsLackingIsNamed() {
        let shortcomings = report(ipip: .missing, mayAdminister: false).shortcomings
        #expect(shortcomings.count == 2)
        #expect(shortcomings.contains { $0.contains("CAP_NET_ADMIN") })
        #expect(shortcomings.contains { $0.contains("module ipip") })
        #expect(report(ipip: .loaded, mayAdminister: true).state(of: "tun") == .missing)
        #expect(report(ipip: .loaded, mayAdminister: true).state(of: "gre") == nil)
    }

    @Test func programsStandInForIpip() {
        var report = report(ipip: .missing, mayAdminister: true)
        report.standIn = .bpf
        #expect(report.shortcomings == [])
        report.standIn = .nothing(obstacle: "CAP_BPF is missing")
        #expect(report.shortcomings.count == 1)
        #expect(report.shortcomings.first?.hasSuffix("eBPF can't stand in for it: CAP_BPF is missing.") == true)
    }
}

@Suite struct RouteSwallowingTests {
    @Test(
        arguments: [
            ([], [], nil), (["192.168.1.1/24"], ["10.0.0.0/8"], nil), ([], ["0.0.0.0/0"], "0.0.0.0/0"),
            (["172.16.1.1/24"], [], "172.16.1.0/24"),
            (["10.0.0.1 peer 172.16.1.62/32"], [], "172.16.1.62/32"),
            (["172.16.1.1/24"], ["172.16.0.0/16", "0.0.0.0/0"], "172.16.1.0/24"),
            ([], ["172.16.0.0/16", "172.16.1.62/32"], "172.16.1.62/32"),
        ] as [([String], [String], String?)])
    func theLongestPrefixAroundTheRemote(_ addresses: [String], _ routes: [String], _ found: String?) throws {
        let definition = try definition {
            $0.addresses = try addresses.map { try address($0) }
            $0.routes = try routes.map { try route($0) }
        }
        #expect(definition.prefixAroundRemote?.description == found)
    }
}

@Suite struct DifferenceTests {
    @Test func eachIsSaidInTheDefinitionsWords() throws {
        let rows: [(Difference, [String])] = [
            (.linkMissing, ["link", "present", "absent"]),
            (.name(desired: "a", observed: "b"), ["name", "a", "b"]),
            (.parameter(field: "ttl", desired: "64", observed: "inherit"), ["ttl", "64", "inherit"]),
            (.mtu(desired: 1400, observed: 1480), ["mtu", "1400", "1480"]),
            (.up(desired: true), ["enabled", "true", "false"]),
            (.up(desired: false), ["enabled", "false", "true"]),
            (.addressMissing(try address("10.0.0.1/24")), ["addresses", "10.0.0.1/24", "absent"]),
            (.addressExtra(try address("10.0.0.1/24")), ["addresses", "absent", "10.0.0.1/24"]),
            (.routeMissing(try route("10.0.0.0/8", metric: 5)), ["routes", "10.0.0.0/8 metric 5", "absent"]),
            (.routeExtra(try route("10.0.0.0/8")), ["routes", "absent", "10.0.0.0/8 metric 0"]),
        ]
        for (difference, words) in rows {
            let summary = difference.summary
            #expect([summary.field, summary.desired, summary.observed] == words)
        }
    }
}
