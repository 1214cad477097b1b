import Synchronization
import Testing
import Tunnels

@testable import Reconciler

/// What looks and batches tell of themselves.
@Suite struct DurationTests {
    @Test func looksAndBatchesAreTimed() async throws {
        let daemon = try await Daemon()
        let counters = daemon.reconciler.counters
        #expect(counters.lookDurations.count == 1)
        #expect(counters.lastLook == ManualTime.start)
        // A repair or a write that takes 40 ms.
        daemon.plane.edit { $0.afterApply = { daemon.time.move(to: daemon.time.uptime + .milliseconds(40)) } }
        await daemon.write(.create(try definition(1)))
        #expect(counters.batchDurations.count == 1)
        #expect(counters.batchDurations.sum == 0.04)
        #expect(counters.batches.load(ordering: .relaxed) == 1)
        await daemon.apply([try definition(2)])
        await daemon.apply([try definition(2)])
        #expect(counters.batchDurations.count == 2, "what changes nothing is no batch")
    }

    @Test func aLookThatCannotReadIsNoSuccess() async throws {
        let daemon = try await Daemon()
        let counters = daemon.reconciler.counters
        let last = counters.lastLook
        daemon.plane.edit { $0.unreadable = .refused }
        await daemon.kernelChanged()
        #expect(counters.lookDurations.count == 2)
        #expect(counters.lastLook == last)
        daemon.plane.edit { $0.unreadable = nil }
        await daemon.advance(by: .seconds(1))
        #expect(counters.lastLook.map { $0 > ManualTime.start } == true)
    }
}
