import Testing

@testable import History

@Suite struct PlanTests {
    @Test func fewTunnelsHaveAllInMemory() {
        #expect(MemoryPlan(budget: 128 << 20, slots: 1000, hasDisk: true).frames == [600, 60, 120, 48])
        #expect(MemoryPlan(budget: 128 << 20, slots: 10, hasDisk: false).frames == [600, 2160, 10_080, 9600])
    }

    @Test func tenThousandTunnelsHaveTenMinutesOfSeconds() {
        #expect(MemoryPlan(budget: 128 << 20, slots: 10_000, hasDisk: true).frames[0] == 600)
    }

    @Test func thePlanFitsTheBudget() {
        var former = Int.max
        for slots in stride(from: 0, through: 60_000, by: 97) {
            for hasDisk in [true, false] {
                let budget = 128 << 20
                guard slots <= MemoryPlan.slots(within: budget, hasDisk: hasDisk) else { continue }
                let plan = MemoryPlan(budget: budget, slots: slots, hasDisk: hasDisk)
                let frames = plan.frames.reduce(0, +)
                #expect(frames * (slots * 12 + MemoryPlan.frameOverhead) + slots * MemoryPlan.slotOverhead <= budget)
                if hasDisk {
                    #expect(plan.frames[0] <= former)
                    former = plan.frames[0]
                }
            }
        }
    }

    @Test func moreThanTwentyThousandTunnelsHaveRoom() {
        #expect(MemoryPlan.slots(within: 128 << 20, hasDisk: true) > 40_000)
        #expect(MemoryPlan.slots(within: 0, hasDisk: true) == 0)
    }

    @Test func retentionIsWholeForFewAndShortForMany() {
        let whole = Retention(tunnels: 1000, budget: 512 << 20)
        #expect(Resolution.stored.map { whole[$0] } == [72, 168, 400])
        #expect(whole.seconds(.tenSeconds) == 6 * 3600)
        #expect(whole.seconds(.minute) == 7 * 86_400)
        #expect(whole.seconds(.hour) == 400 * 86_400)
        #expect(whole[.second] == 0)
        let most = Retention(tunnels: 20_000, budget: 512 << 20)
        #expect(Resolution.stored.allSatisfy { most[$0] >= 2 && most[$0] < whole[$0] / 10 })
        #expect(Retention(tunnels: 0, budget: 0)[.minute] == 2)
    }

    @Test func whatIsKeptFitsTheBudget() {
        for budget in [16, 100, 512, 4096].map({ $0 << 20 }) {
            var former = Retention(tunnels: 0, budget: budget)
            for tunnels in stride(from: 0, through: 20_000, by: 71) {
                let retention = Retention(tunnels: tunnels, budget: budget)
                let rows = Resolution.stored.map { retention[$0] * Block.largestRow($0) }.reduce(0, +)
                let isLeast = Resolution.stored.contains { retention[$0] == 2 }
                #expect(isLeast || rows * tunnels <= budget)
                for resolution in Resolution.stored { #expect(retention[resolution] <= former[resolution]) }
                former = retention
            }
        }
    }
}
