import Dispatch
import Synchronization
import Testing
import Tunnels

@testable import Reconciler

@Suite struct TickerTests {
    /// A sampler that runs, and what its observers saw.
    private struct Running {
        let bench: SamplerBench
        let seen = Seen()

        final class Seen: Sendable {
            let samples = Mutex<[Sample]>([])
            var numbers: [UInt64] { samples.withLock { $0.map(\.number) } }
            var times: [Int64] { samples.withLock { $0.map(\.sampledAt.milliseconds) } }
        }

        init() async throws {
            bench = try await SamplerBench(tunnels: 1)
            bench.sampler.onSample { [seen] sample in seen.samples.withLock { $0.append(sample) } }
            bench.sampler.run()
            advance(by: .zero)
        }

        /// Moves time on, timer by timer, and waits for the ticks.
        func advance(by duration: Duration) {
            let end = bench.daemon.time.uptime + duration
            while bench.daemon.time.step(upTo: end) { bench.sampler.ticker.queue.sync {} }
            bench.daemon.time.move(to: end)
        }

        var reads: Int { bench.daemon.plane.samples }
    }

    @Test func whileNobodyAsksOneIsTakenEachTenSeconds() async throws {
        let running = try await Running()
        #expect(running.seen.numbers == [1])
        running.advance(by: .seconds(100))
        #expect(running.seen.numbers == Array(1...11))
        let times = running.seen.times
        #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 == 10_000 })
    }

    @Test func whileSomebodyAsksOneIsTakenEachSecond() async throws {
        let running = try await Running()
        running.advance(by: .milliseconds(3400))
        _ = try running.bench.sampler.sample()
        let before = running.seen.numbers.count
        // Half a minute of attention, and then the ten seconds begin.
        running.advance(by: .seconds(30))
        #expect(running.seen.numbers.count - before == 30)
        running.advance(by: .seconds(100))
        #expect(running.seen.numbers.count - before == 40)
    }

    @Test func pollersTakeNoneOfTheirOwn() async throws {
        let running = try await Running()
        _ = try running.bench.sampler.sample()
        running.advance(by: .seconds(2))
        let before = running.reads
        for _ in 0..<1000 {
            running.advance(by: .milliseconds(10))
            for _ in 0..<3 { _ = try running.bench.sampler.sample() }
        }
        #expect(running.reads - before == 10)
    }

    @Test func whileSomebodyLooksOnOneIsTakenEachSecond() async throws {
        let running = try await Running()
        running.bench.sampler.beginLooking()
        running.advance(by: .seconds(100))
        #expect(running.seen.numbers == Array(1...101))
        running.bench.sampler.endLooking()
        running.advance(by: .seconds(101))
        #expect((10...12).contains(running.seen.numbers.count - 101))
    }

    @Test func freshSamplesAreNotShownToObservers() async throws {
        let running = try await Running()
        running.bench.sampler.beginLooking()
        running.advance(by: .milliseconds(1200))
        let fresh = try running.bench.sampler.sample(isFresh: true)
        running.advance(by: .milliseconds(10))
        #expect(!running.seen.numbers.contains(fresh.number))
        running.advance(by: .seconds(5))
        #expect(!running.seen.numbers.contains(fresh.number))
        #expect(running.seen.numbers == running.seen.numbers.sorted())
    }

    @Test func nothingIsTakenAfterTheStop() async throws {
        let running = try await Running()
        running.advance(by: .seconds(20))
        running.bench.sampler.stop()
        running.advance(by: .seconds(100))
        #expect(running.reads == 3)
        #expect(running.seen.numbers == [1, 2, 3])
    }

    @Test func aKernelThatCannotBeReadLeavesAGap() async throws {
        let running = try await Running()
        running.bench.daemon.plane.edit { $0.unreadableCounters = .refused }
        running.advance(by: .seconds(30))
        #expect(running.seen.numbers == [1])
        running.bench.daemon.plane.edit { $0.unreadableCounters = nil }
        running.advance(by: .seconds(10))
        #expect(running.seen.numbers == [1, 2])
    }
}
