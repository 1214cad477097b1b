import Testing
import Tunnels

@testable import Reconciler

/// Totals within one run of the daemon.
@Suite struct TotalsTests {
    @Test func theyAreTheCountersOfTheFirstLink() async throws {
        let bench = try await SamplerBench(tunnels: 2)
        try bench.count(1, packets: 30)
        let entry = try #require(try bench.entry(1, in: try bench.sampler.sample()))
        #expect(entry.totals == LinkCounters(packets: 30))
        #expect(entry.totals == entry.counters)
    }

    @Test func eachFurtherLinkAdds() async throws {
        let bench = try await SamplerBench(tunnels: 3)
        var total: UInt64 = 0
        for round in 1...20 as ClosedRange<UInt64> {
            try bench.count(2, packets: round * 5)
            total += round * 5
            let sample = try bench.later()
            #expect(try bench.entry(2, in: sample)?.totals == LinkCounters(packets: total))
            #expect(try bench.entry(1, in: sample)?.totals == LinkCounters())
            // No more than ten repairs a minute.
            bench.wait(.seconds(7))
            try await bench.deleteLink(2)
            // Of a tunnel whose link is gone they are still told.
            let tunnel = try #require(try bench.daemon.view("tun_2")).tunnel
            #expect(try bench.later().totals(of: tunnel) == LinkCounters(packets: total))
            try bench.count(2, packets: 0)
        }
    }

    @Test func theyNeverGoBackWithAnotherLinkOfTheSameNumber() async throws {
        let bench = try await SamplerBench(tunnels: 1)
        for (packets, total) in [(10, 10), (15, 15), (2, 17), (9, 24), (0, 24), (1, 25)] as [(UInt64, UInt64)] {
            try bench.count(1, packets: packets)
            let entry = try #require(try bench.entry(1, in: try bench.later()))
            #expect(entry.totals == LinkCounters(packets: total))
            #expect(entry.counters == LinkCounters(packets: packets))
        }
    }

    @Test func theyFollowARenamedTunnel() async throws {
        let bench = try await SamplerBench(tunnels: 3)
        try bench.count(2, packets: 8)
        _ = try bench.later()
        await bench.daemon.write(
            .modify(
                .name(try name("tun_2")),
                { definition throws(WriteRefusal) in
                    var definition = definition
                    definition.name = try .renamed
                    return definition
                }))
        let ifindex = try #require(bench.daemon.link("aaa")).ifindex
        bench.daemon.plane.edit { $0.counters[ifindex] = LinkCounters(packets: 11) }
        let tunnel = try #require(try bench.daemon.view("aaa")).tunnel
        #expect(try bench.later().totals(of: tunnel) == LinkCounters(packets: 11))
    }

    @Test func aTunnelOfTheSameNameBeginsAtZero() async throws {
        let bench = try await SamplerBench(tunnels: 1)
        try bench.count(1, packets: 8)
        _ = try bench.later()
        await bench.daemon.write(.delete(.name(try name("tun_1"))))
        await bench.daemon.write(.create(try definition(1)))
        try bench.count(1, packets: 3)
        let entry = try #require(try bench.entry(1, in: try bench.later()))
        #expect(entry.totals == LinkCounters(packets: 3))
        #expect(entry.growth == nil && entry.minute == nil)
    }
}

extension InterfaceName {
    fileprivate static var renamed: InterfaceName {
        get throws(WriteRefusal) {
            do { return try InterfaceName("aaa") } catch { throw .notFound }
        }
    }
}
