import Testing
import Tunnels

@testable import Reconciler

@Suite struct MinuteTests {
    @Test func samplesAreNumbered() async throws {
        let bench = try await SamplerBench(tunnels: 1)
        #expect(try bench.sampler.sample().number == 1)
        #expect(try bench.sampler.sample().number == 1)
        #expect(try bench.later().number == 2)
        #expect(try bench.sampler.sample(isFresh: true).number == 3)
    }

    @Test func theFirstSampleHasNoMinute() async throws {
        let bench = try await SamplerBench(tunnels: 1)
        #expect(try bench.entry(1, in: try bench.sampler.sample())?.minute == nil)
        try bench.count(1, packets: 3)
        let minute = try #require(try bench.entry(1, in: try bench.later())?.minute)
        #expect(minute.growth == LinkCounters(packets: 3))
        #expect(minute.seconds == 1)
    }

    @Test(arguments: [1, 2, 10]) func itIsCountedFromAboutAMinuteBefore(step: Int) async throws {
        let bench = try await SamplerBench(tunnels: 1)
        for second in stride(from: 0, through: 200, by: step) {
            try bench.count(1, packets: UInt64(second) * 7)
            let sample = try bench.later(.seconds(step))
            guard second >= 90 else { continue }
            let minute = try #require(try bench.entry(1, in: sample)?.minute)
            #expect((59.0...71.0).contains(minute.seconds))
            #expect(Double(minute.growth.rx.packets) / minute.seconds == 7)
        }
    }

    @Test func afterAPauseItBeginsAnew() async throws {
        let bench = try await SamplerBench(tunnels: 1)
        _ = try bench.sampler.sample()
        let sample = try bench.later(.seconds(600))
        #expect(try bench.entry(1, in: sample)?.minute == nil)
        #expect(try bench.entry(1, in: try bench.later())?.minute?.seconds == 1)
    }

    @Test func itGoesOnOverALinkMadeAnew() async throws {
        let bench = try await SamplerBench(tunnels: 1)
        _ = try bench.sampler.sample()
        try bench.count(1, packets: 10)
        _ = try bench.later()
        try await bench.deleteLink(1)
        try bench.count(1, packets: 4)
        let entry = try #require(try bench.entry(1, in: try bench.later()))
        #expect(entry.growth == nil)
        #expect(entry.minute?.growth == LinkCounters(packets: 14))
    }

    @Test func aTunnelThatCameLaterIsComparedWithItsFirstMark() async throws {
        let bench = try await SamplerBench(tunnels: 1)
        _ = try bench.sampler.sample()
        await bench.daemon.write(.create(try definition(2)))
        try bench.count(2, packets: 0)
        #expect(try bench.entry(2, in: try bench.later(.seconds(20)))?.minute == nil)
        try bench.count(2, packets: 5)
        let minute = try #require(try bench.entry(2, in: try bench.later())?.minute)
        #expect(minute.growth == LinkCounters(packets: 5))
        #expect(minute.seconds == 1)
    }
}
