import Testing
import Tunnels

@testable import History

@Suite struct ResamplingTests {
    /// Pieces of time against a model that looks at each second.
    @Test func stepsAreAveragesOfTheSecondsThatAreKnown() {
        var numbers = Numbers(7)
        for _ in 0..<300 {
            let step = Int64.random(in: 1...50, using: &numbers)
            let from = Int64.random(in: -500...500, using: &numbers)
            let span = StepSpan(covering: from..<from + Int64.random(in: 1...300, using: &numbers), step: step)
            var resampler = Resampler(span)
            var model: [Int64: Double] = [:]
            var time = from - 60
            while time < from + 400 {
                let end = time + Int64.random(in: 1...40, using: &numbers)
                if Bool.random(using: &numbers) {
                    let rate = Float.random(in: 0..<1000, using: &numbers)
                    resampler.add(RateVector(rate, 0, 0, 0, 0, 0, 0, 1), in: time..<end)
                    for second in time..<end { model[second] = Double(rate) }
                }
                time = end
            }
            for (index, rates) in resampler.series.steps.enumerated() {
                let begin = span.from + Int64(index) * step
                let known = (begin..<begin + step).compactMap { model[$0] }
                let wanted = known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
                #expect(isNear(rates?.rxBytes, wanted))
            }
        }
    }

    @Test func spansAreWholeStepsAroundATime() {
        for step: Int64 in [1, 7, 10, 60, 3600] {
            for from: Int64 in [-100, -1, 0, 1, 59, 1_700_000_123] {
                for length: Int64 in [1, 9, 10, 61, 5000] {
                    let span = StepSpan(covering: from..<from + length, step: step)
                    #expect(span.from <= from && from - span.from < step && span.from % step == 0)
                    #expect(span.to >= from + length && span.to - from - length < step)
                }
            }
        }
    }

    @Test func eachTimeIsAnsweredByOneResolution() {
        var numbers = Numbers(8)
        for _ in 0..<2000 {
            let spans: [Range<Int64>?] = Resolution.allCases.map { _ in
                guard Int.random(in: 0..<5, using: &numbers) > 0 else { return nil }
                let from = Int64.random(in: 0..<5000, using: &numbers)
                return from..<from + Int64.random(in: 1..<5000, using: &numbers)
            }
            let step = Int64.random(in: 1...100, using: &numbers)
            let from = Int64.random(in: -100..<6000, using: &numbers)
            let span = StepSpan(covering: from..<from + 700, step: step)
            var seen = Set<Int64>()
            for part in Coverage(spans).parts(of: span) {
                for second in part.time {
                    #expect(seen.insert(second).inserted)
                    #expect(spans[part.resolution.rawValue]?.contains(second) == true)
                }
            }
            // Nothing that anybody knows is left out.
            let known = (span.from..<span.to).filter { second in spans.contains { $0?.contains(second) == true } }
            #expect(seen == Set(known))
        }
    }

    @Test func theFinestThatIsNeededAnswers() {
        let spans: [Range<Int64>?] = [90_000..<100_000, 50_000..<99_990, 10_000..<99_960, 0..<97_200]
        func parts(_ step: Int64) -> [Resolution] {
            Coverage(spans).parts(of: StepSpan(covering: 0..<100_000, step: step)).map(\.resolution)
        }
        #expect(parts(1) == [.second, .tenSeconds, .minute, .hour])
        #expect(parts(15) == [.second, .tenSeconds, .minute, .hour])
        #expect(parts(30) == [.tenSeconds, .second, .minute, .hour])
        #expect(parts(120) == [.minute, .tenSeconds, .second, .hour])
        #expect(parts(7200) == [.hour, .minute, .tenSeconds, .second])
    }

    /// Hours of samples with holes, against a model that holds each second.
    @Test func whatIsReadIsWhatWas() {
        for seed in UInt64(1)...4 { expectWhatWas(seed) }
    }

    private func expectWhatWas(_ seed: UInt64) {
        var numbers = Numbers(seed)
        var frames = Frames(budget: 64 << 20, hasDisk: false)
        let (id, start) = (ids(1, seed: seed), Int64(1_700_000_400))
        var model: [Int64: Double] = [:]
        var time = start
        while time < start + 20_000 {
            if Int.random(in: 0..<200, using: &numbers) == 0 { time += Int64.random(in: 30...900, using: &numbers) }
            let seconds: Int64 = Bool.random(using: &numbers) ? 1 : 10
            let packets = UInt64.random(in: 0..<5000, using: &numbers) * UInt64(seconds)
            for second in time..<time + seconds { model[second] = Double(packets) / Double(seconds) }
            time += seconds
            frames.record(until: Double(time), seconds: Double(seconds), id, packets: packets)
        }
        for _ in 0..<200 {
            let steps: [Int64] = [1, 2, 10, 30, 60, 90, 600, 3600]
            let step = steps.randomElement(using: &numbers) ?? 1
            let from = start + Int64.random(in: 0..<20_000, using: &numbers)
            let span = StepSpan(covering: from..<from + Int64.random(in: 1...4000, using: &numbers), step: step)
            let rates = frames.packets(id[0], span.range, step: step)
            for (index, rate) in rates.enumerated() {
                // A coarse place tells of its whole time, which may be more than the step.
                let begin = span.from + Int64(index) * step
                let around = (begin - 3600..<begin + step + 3600).compactMap { model[$0] }
                let within = (begin..<begin + step).compactMap { model[$0] }
                if !within.isEmpty { #expect(rate != nil) }
                if let rate, let least = around.min(), let most = around.max() {
                    #expect(rate >= least * 0.998 && rate <= most * 1.002)
                }
                let isWhole = within.count == Int(step) && step % 60 == 0
                if isWhole { #expect(isNear(rate, within.reduce(0, +) / Double(within.count)), "\(step)") }
            }
        }
    }
}
