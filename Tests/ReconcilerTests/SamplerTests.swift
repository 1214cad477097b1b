import Dispatch
import ModelHost
import Synchronization
import Testing
import Tunnels

@testable import Reconciler

@Suite struct SamplerTests {
    private typealias Bench = SamplerBench

    @Test func aSampleServesEverybodyForAnInterval() async throws {
        let bench = try await Bench(tunnels: 3)
        let first = try bench.sampler.sample()
        for _ in 0..<10 {
            bench.wait(.milliseconds(99))
            #expect(try bench.sampler.sample() === first)
        }
        #expect(bench.daemon.plane.samples == 1)
        bench.wait(.milliseconds(10))
        #expect(try bench.sampler.sample() !== first)
        #expect(bench.daemon.plane.samples == 2)
    }

    @Test func whoAsksForFreshCountersGetsThem() async throws {
        let bench = try await Bench(tunnels: 1)
        _ = try bench.sampler.sample()
        try bench.count(1, packets: 5)
        bench.wait(.milliseconds(1))
        #expect(try bench.entry(1, in: try bench.sampler.sample())?.counters.rx.packets == 0)
        let fresh = try bench.sampler.sample(isFresh: true)
        #expect(try bench.entry(1, in: fresh)?.counters.rx.packets == 5)
        // And it serves the others.
        #expect(try bench.sampler.sample() === fresh)
        #expect(bench.daemon.plane.samples == 2)
    }

    @Test func growthIsCountedFromASampleAnIntervalBefore() async throws {
        let bench = try await Bench(tunnels: 2)
        let first = try bench.sampler.sample()
        #expect(first.intervalSeconds == 0)
        #expect(try bench.entry(1, in: first)?.growth == nil)
        bench.wait(.seconds(2))
        try bench.count(1, packets: 10)
        let second = try bench.sampler.sample()
        #expect(second.intervalSeconds == 2)
        #expect(second.sampledAt.milliseconds - first.sampledAt.milliseconds == 2000)
        let growth = try #require(try bench.entry(1, in: second)?.growth)
        #expect((growth.rx.packets, growth.rx.bytes, growth.tx.packets, growth.tx.bytes) == (10, 1000, 20, 2000))
        #expect(try bench.entry(2, in: second)?.growth == LinkCounters())
        bench.wait(.seconds(1))
        try bench.count(1, packets: 13)
        let third = try bench.sampler.sample()
        #expect(third.intervalSeconds == 1)
        #expect(try bench.entry(1, in: third)?.growth?.rx.packets == 3)
    }

    /// Somebody who wants fresh counters ten times a second mustn't hold the base of the rates where it is.
    @Test func underFreshReadersTheIntervalStaysNearTheWantedOne() async throws {
        let bench = try await Bench(tunnels: 1)
        for step in 0..<200 {
            bench.wait(.milliseconds(100))
            try bench.count(1, packets: UInt64(step) * 10)
            let sample = try bench.sampler.sample(isFresh: true)
            guard step > 10 else { continue }
            #expect((1.0..<2.1).contains(sample.intervalSeconds))
            let growth = try #require(try bench.entry(1, in: sample)?.growth)
            #expect(abs(Double(growth.rx.packets) / sample.intervalSeconds - 100) < 0.001)
        }
    }

    @Test func aLinkMadeAnewHasNoGrowth() async throws {
        let bench = try await Bench(tunnels: 2)
        for number in 1...2 { try bench.count(number, packets: 50) }
        _ = try bench.sampler.sample()
        let ifindex = try #require(bench.daemon.link("tun_1")).ifindex
        try bench.daemon.plane.edit { state in
            try state.host.perform(.delete, on: ifindex)
            state.counters[ifindex] = nil
        }
        await bench.daemon.kernelChanged()
        bench.wait(.seconds(1))
        for number in 1...2 { try bench.count(number, packets: 70) }
        let sample = try bench.sampler.sample()
        let entry = try #require(try bench.entry(1, in: sample))
        #expect(entry.growth == nil)
        #expect(entry.counters.rx.packets == 70)
        #expect(entry.view.status.epoch == 2)
        #expect(try bench.entry(2, in: sample)?.growth?.rx.packets == 20)
    }

    @Test func aCounterThatWentBackHasNoGrowth() {
        for direction in [\LinkCounters.rx, \LinkCounters.tx] { expectNoGrowthBack(of: direction) }
    }

    private func expectNoGrowthBack(of direction: WritableKeyPath<LinkCounters, LinkCounters.Direction>) {
        let fields: [WritableKeyPath<LinkCounters.Direction, UInt64>] = [\.bytes, \.packets, \.errors, \.dropped]
        for field in fields {
            var former = LinkCounters()
            former[keyPath: direction][keyPath: field] = 2
            var later = former
            later[keyPath: direction][keyPath: field] = 1
            #expect(later.growth(since: former) == nil)
            later[keyPath: direction][keyPath: field] = 5
            #expect(later.growth(since: former)?[keyPath: direction][keyPath: field] == 3)
        }
    }

    @Test func soHasOneOfCarrierErrors() {
        var (former, later) = (LinkCounters(), LinkCounters())
        former.carrierErrors = 2
        #expect(later.growth(since: former) == nil)
        later.carrierErrors = 7
        #expect(later.growth(since: former)?.carrierErrors == 5)
    }

    @Test func aTunnelWithoutALinkIsLeftOut() async throws {
        let bench = try await Bench(tunnels: 3)
        await bench.daemon.write(.create(try definition(9)), isAsynchronous: true)
        let gone = try #require(bench.daemon.link("tun_2")).ifindex
        bench.daemon.plane.edit { $0.counters[gone] = nil }
        let sample = try bench.sampler.sample()
        #expect(sample.entries.map(\.view.tunnel.name.text) == ["tun_1", "tun_3"])
        #expect(try bench.entry(9, in: sample) == nil)
        #expect(try bench.entry(2, in: sample) == nil)
    }

    @Test func growthFollowsATunnelPastNewAndDeletedNeighbours() async throws {
        let bench = try await Bench(tunnels: 5)
        _ = try bench.sampler.sample()
        await bench.daemon.write(.delete(.name(try name("tun_2"))))
        await bench.daemon.write(.create(try definition(31)))
        await bench.daemon.write(.create(try definition(7) { $0.name = try InterfaceName("a") }))
        bench.wait(.seconds(1))
        for number in [1, 3, 4, 5, 31] { try bench.count(number, packets: 4) }
        let sample = try bench.sampler.sample()
        #expect(sample.entries.map { $0.growth?.rx.packets } == [4, 4, nil, 4, 4])
    }

    @Test func readersAtTheSameTimeShareOneSample() async throws {
        let bench = try await Bench(tunnels: 1)
        let sampler = bench.sampler
        for round in 1...20 {
            bench.wait(.seconds(1))
            let samples = await withTaskGroup(of: Sample?.self) { group in
                for _ in 0..<16 { group.addTask { try? sampler.sample() } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(samples.map { $0.map { ObjectIdentifier($0) } }).count == 1)
            #expect(bench.daemon.plane.samples == round)
        }
    }
}
