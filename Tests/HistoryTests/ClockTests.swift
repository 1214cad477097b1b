import Testing
import Tunnels

@testable import History

/// The wall clock is set while samples go on.
@Suite struct ClockTests {
    private let one = ids(1)
    private let start: Int64 = 1_700_000_400

    private func recorded(seconds: Int64) -> Frames {
        var frames = Frames(budget: 16 << 20, hasDisk: false)
        for second in 1...seconds { frames.record(until: Double(start + second), one, packets: 10) }
        return frames
    }

    @Test func forwardLeavesAGap() {
        var frames = recorded(seconds: 20)
        #expect(frames.record(until: Double(start + 121), one, packets: 20) == .broken)
        #expect(frames.record(until: Double(start + 122), one, packets: 20) == .followed)
        let rates = frames.packets(one[0], start..<start + 122, step: 1)
        #expect(rates == Array(repeating: 10, count: 20) + Array(repeating: nil, count: 100) + [20, 20])
    }

    @Test func backDropsTheTimeThatComesAnew() {
        var frames = recorded(seconds: 100)
        #expect(frames.record(until: Double(start + 31), one, packets: 20) == .broken)
        for second in Int64(32)...45 { frames.record(until: Double(start + second), one, packets: 20) }
        let rates = frames.packets(one[0], start..<start + 100, step: 1)
        #expect(
            rates == Array(repeating: 10, count: 30) + Array(repeating: 20, count: 15)
                + Array(repeating: nil, count: 55))
        // Coarser ones were made anew too.
        let tens = frames.packets(one[0], start..<start + 100, step: 10)
        #expect(tens == [10, 10, 10, 20, 20, nil, nil, nil, nil, nil])
    }

    @Test func aLittleBackLosesALittle() {
        var frames = recorded(seconds: 20)
        #expect(frames.record(until: Double(start) + 20.4, seconds: 1, one, packets: 10) == .followed)
        for second in 1...5 { frames.record(until: Double(start) + 20.4 + Double(second), one, packets: 10) }
        let rates = frames.packets(one[0], start..<start + 25, step: 1)
        #expect(rates.allSatisfy { isNear($0, 10) }, "\(rates)")
    }

    @Test func slewingAndLateTimersAreNoGaps() {
        var frames = Frames(budget: 16 << 20, hasDisk: false)
        var numbers = Numbers(5)
        var time = Double(start)
        for _ in 0..<300 {
            let taken = Double.random(in: 0.9..<1.3, using: &numbers)
            time += taken
            // The wall clock runs otherwise than the one that measures intervals.
            frames.record(until: time, seconds: taken * 0.98, one, packets: 100)
        }
        let rates = frames.packets(one[0], start + 1..<Int64(time) - 1, step: 1)
        #expect(rates.allSatisfy { $0 != nil })
    }

    @Test func anyTimesAtAll() {
        var frames = Frames(budget: 200_000, hasDisk: true)
        var numbers = Numbers(6)
        let many = ids(20)
        for _ in 0..<1000 {
            let end = Int64.random(in: -4_000_000_000_000...4_000_000_000_000_000, using: &numbers)
            let seconds = Double.random(in: -1...30, using: &numbers)
            for step in Int64(0)..<3 {
                frames.record(
                    until: end + step * 1000, seconds: step == 0 ? seconds : 1, many.map { ($0, growth(packets: 1)) })
            }
            #expect(frames.bytes <= 200_000)
            let unwritten = frames.takeUnwritten()
            #expect(unwritten.blocks.count < 20)
        }
    }
}
