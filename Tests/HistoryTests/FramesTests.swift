import Testing
import Tunnels

@testable import History

@Suite struct FramesTests {
    private let ids3 = ids(3)
    private let start: Int64 = 1_700_000_400

    private func frames(budget: Int = 16 << 20) -> Frames { Frames(budget: budget, hasDisk: false) }

    @Test func aSampleIsInItsSecond() {
        var frames = frames()
        for second in 1...5 { frames.record(until: Double(start) + Double(second), ids3, packets: UInt64(second * 10)) }
        let rates = frames.packets(ids3[1], start - 1..<start + 6, step: 1)
        #expect(rates == [nil, 10, 20, 30, 40, 50, nil])
    }

    /// One seldom begins and ends with a second: each gets its part, and nothing is lost.
    @Test func aSampleBetweenSecondsIsShared() {
        var frames = frames()
        for second in 1...4 {
            frames.record(until: Double(start) + Double(second) + 0.25, ids3, packets: second == 2 ? 100 : 0)
        }
        let rates = frames.packets(ids3[0], start..<start + 4, step: 1)
        #expect(zip(rates, [0, 75, 25, 0]).allSatisfy { isNear($0, $1) }, "\(rates)")
    }

    @Test func aSlowSampleFillsTheSecondsThatItCovers() {
        var frames = frames()
        frames.record(until: Double(start) + 10, seconds: 10, ids3, packets: 500)
        frames.record(until: Double(start) + 20, seconds: 10, ids3, packets: 20)
        let rates = frames.packets(ids3[2], start..<start + 20, step: 1)
        #expect(rates == Array(repeating: 50, count: 10) + Array(repeating: 2, count: 10))
    }

    @Test func aLongerHoleIsAGap() {
        var frames = frames()
        frames.record(until: Double(start) + 1, ids3, packets: 5)
        #expect(frames.record(until: Double(start) + 31, seconds: 30, ids3, packets: 300) == .broken)
        #expect(frames.record(until: Double(start) + 32, ids3, packets: 6) == .followed)
        let rates = frames.packets(ids3[0], start..<start + 32, step: 1)
        #expect(rates == [5] + Array(repeating: nil, count: 30) + [6])
    }

    @Test(arguments: [0, -1, .nan, .infinity])
    func aSampleThatCoversNothingTellsNothing(seconds: Double) {
        var frames = frames()
        frames.record(until: Double(start), seconds: seconds, ids3, packets: 5)
        #expect(frames.packets(ids3[0], start - 10..<start + 10, step: 1).allSatisfy { $0 == nil })
    }

    @Test func whatGrewIsUnknownIsAGapOfThatTunnelAlone() {
        var frames = frames()
        for second in 1...4 {
            let growths = ids3.enumerated().map { index, id in
                (id: id, growth: second == 3 && index == 1 ? nil : growth(packets: 7))
            }
            frames.record(until: (start + Int64(second)) * 1000, seconds: 1, growths)
        }
        #expect(frames.packets(ids3[1], start..<start + 4, step: 1) == [7, 7, nil, 7])
        #expect(frames.packets(ids3[2], start..<start + 4, step: 1) == [7, 7, 7, 7])
    }

    @Test func coarserPlacesAreAveragesOverWhatThereWas() {
        var frames = frames()
        let hour = start - start % 3600 + 3600
        for second in Int64(1)...7300 where !(1201...1260).contains(second) {
            let packets = UInt64(second <= 3600 ? 10 : 30)
            frames.record(until: Double(hour + second), ids3, packets: packets)
        }
        #expect(frames.packets(ids3[0], hour..<hour + 7200, step: 3600) == [10, 30])
        let minutes = frames.packets(ids3[0], hour..<hour + 3600, step: 60)
        #expect(minutes == (0..<60).map { $0 == 20 ? nil : 10 })
        #expect(frames[.second].frames.count == 600)
        #expect(frames[.hour].frames.map(\.place) == [hour / 3600, hour / 3600 + 1])
    }

    @Test func thePresentIsShownBeforeItIsOver() {
        var frames = frames()
        let hour = start - start % 3600
        for second in Int64(1)...95 {
            frames.record(until: Double(hour + second), ids3, packets: second <= 60 ? 10 : 20)
        }
        let rate = frames.packets(ids3[0], hour..<hour + 3600, step: 3600)
        #expect(isNear(rate[0], (600 + 700) / 95.0), "\(rate)")
    }

    @Test func tunnelsComeAndGo() {
        var frames = frames()
        let many = ids(40)
        for second in 1...40 {
            // A window that moves over all tunnels.
            let present = Array(many[max(second - 10, 0)..<second])
            frames.record(until: Double(start) + Double(second), present, packets: UInt64(second))
            let gone = Set(many[..<max(second - 10, 0)])
            frames.slots.release { gone.contains($0) }
        }
        #expect(frames.slots.ids.count <= 11)
        for (index, id) in many.enumerated() {
            let rates = frames.packets(id, start..<start + 40, step: 1)
            let wanted = (0..<40).map { (index..<index + 10).contains($0) && index >= 30 ? Double($0 + 1) : nil }
            #expect(rates == wanted, "\(index): \(rates)")
        }
    }

    /// A tunnel that gets the slot of a deleted one gets nothing of its history, in no resolution.
    @Test func aSlotTellsNothingOfItsFormerTunnel() {
        var frames = frames()
        let hour = start - start % 3600
        for second in Int64(1)...4000 {
            let id = second <= 2005 ? ids3[0] : ids3[1]
            if second == 2006 { frames.slots.release { $0 == ids3[0] } }
            frames.record(until: Double(hour + second), [id], packets: second <= 2005 ? 1000 : 4)
        }
        #expect(frames.slots.ids.count == 1)
        for step: Int64 in [1, 10, 60, 3600] {
            let rates = frames.packets(ids3[1], hour..<hour + 3600, step: step)
            #expect(rates.allSatisfy { $0 == nil || $0 == 4 }, "\(step)")
            #expect(rates.last == 4)
        }
    }

    @Test func theBoundHoldsWhateverTheNumberOfTunnels() {
        for budget in [0, 1000, 100_000, 1 << 20] {
            for hasDisk in [true, false] {
                for count in [0, 1, 30, 300] {
                    var frames = Frames(budget: budget, hasDisk: hasDisk)
                    let ids = ids(count)
                    for second in Int64(1)...70 {
                        // Slow samples: more time for less work.
                        frames.record(until: Double(start + second * 10), seconds: 10, ids, packets: 1)
                        #expect(frames.bytes <= max(budget, 0), "\(budget) \(count)")
                    }
                    #expect(frames.leftOut == max(count - frames.slotLimit, 0))
                }
            }
        }
    }

    @Test func theBoundHoldsWhenTunnelsAreMadeAndDeleted() {
        var frames = frames(budget: 300_000)
        let all = ids(600)
        var numbers = Numbers(3)
        for second in 1...1500 {
            let from = Int.random(in: 0..<500, using: &numbers)
            let present = all[from..<from + Int.random(in: 0..<100, using: &numbers)]
            frames.record(until: Double(start) + Double(second), Array(present), packets: 1)
            if second % 7 == 0 { frames.slots.release { !present.contains($0) } }
            #expect(frames.bytes <= 300_000)
        }
    }
}
