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
        for _ in 0..<150 {
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

    /// Two hours of samples with holes, against a model that holds each second.
    @Test(arguments: [1, 2]) func whatIsReadIsWhatWas(seed: UInt64) {
        var numbers = Numbers(seed)
        var frames = Frames(budget: 64 << 20, hasDisk: false)
        let (id, start) = (ids(1, seed: seed), Int64(1_700_000_400))
        var model: [Int64: Double] = [:]
        var time = start
        while time < start + 7200 {
            if Int.random(in: 0..<100, using: &numbers) == 0 { time += Int64.random(in: 30...900, using: &numbers) }
            let packets = UInt64.random(in: 0..<50_000, using: &numbers)
            for second in time..<time + 10 { model[second] = Double(packets) / 10 }
            time += 10
            frames.record(until: Double(time), seconds: 10, id, packets: packets)
        }
        for step: Int64 in [1, 2, 10, 30, 60, 90, 600, 3600] {
            for _ in 0..<10 {
                let begin = start + Int64.random(in: 0..<7200 / step, using: &numbers) * step
                let rate = frames.packets(id[0], begin..<begin + 1, step: step)[0]
                let from = begin - begin % step
                let within = (from..<from + step).compactMap { model[$0] }
                if !within.isEmpty { #expect(rate != nil) }
                if within.count == Int(step), step % 60 == 0 {
                    #expect(isNear(rate, within.reduce(0, +) / Double(within.count)), "\(step)")
                }
                guard let rate else { continue }
                // A coarse place tells of its whole time, which may be more than the step.
                let around = (from - 600..<from + step + 600).compactMap { model[$0] }
                #expect(rate >= (around.min() ?? 0) * 0.998 && rate <= (around.max() ?? 0) * 1.002)
            }
        }
    }
}
