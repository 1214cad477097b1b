/// The rates of one tunnel over some time, one for each step.
public struct RateSeries: Sendable {
    /// Rates of one step, per second.
    public struct Rates: Sendable, Equatable {
        public var rxBytes: Double
        public var rxPackets: Double
        public var txBytes: Double
        public var txPackets: Double
        /// Of both directions.
        public var errors: Double
        /// Of both directions.
        public var dropped: Double
    }

    /// What time is covered, in steps.
    public let span: StepSpan
    /// Of each step the average over that part of it of which something is known; nil where there is nothing.
    public let steps: [Rates?]
}

/// A time in whole steps, counted from 1970 on.
public struct StepSpan: Sendable, Equatable {
    /// Seconds since 1970; a multiple of the step.
    public let from: Int64
    /// Seconds.
    public let step: Int64
    public let count: Int

    /// The steps that hold a time.
    ///
    /// - Parameters:
    ///   - time: seconds since 1970, within some thousands of years.
    ///   - step: seconds, more than zero.
    public init(covering time: Range<Int64>, step: Int64) {
        self.step = step
        from = time.lowerBound.floorDivided(by: step) * step
        count = Int((time.upperBound + step - 1).floorDivided(by: step) - from / step)
    }

    /// Seconds since 1970; behind the last step.
    public var to: Int64 { from + Int64(count) * step }
    var range: Range<Int64> { from..<to }
}

/// Makes steps of what is known in other pieces of time.
struct Resampler {
    let span: StepSpan
    /// Of each step.
    private var sums: [SIMD8<Double>]

    init(_ span: StepSpan) {
        self.span = span
        sums = Array(repeating: .zero, count: span.count)
    }

    /// Adds rates that held for a time, in seconds since 1970. What is outside of the steps doesn't count.
    ///
    /// - Parameter rates: with weight 1.
    mutating func add(_ rates: RateVector, in time: Range<Int64>) {
        let time = time.clamped(to: span.range)
        guard !time.isEmpty else { return }
        let rates = SIMD8<Double>(rates)
        var begin = time.lowerBound
        var index = Int((begin - span.from) / span.step)
        while begin < time.upperBound {
            let end = min(span.from + Int64(index + 1) * span.step, time.upperBound)
            sums[index] += rates * Double(end - begin)
            (begin, index) = (end, index + 1)
        }
    }

    var series: RateSeries {
        RateSeries(
            span: span,
            steps: sums.map { sum in
                guard sum[Lane.weight] > 0 else { return nil }
                let rates = sum / sum[Lane.weight]
                return RateSeries.Rates(
                    rxBytes: rates[Lane.rxBytes], rxPackets: rates[Lane.rxPackets], txBytes: rates[Lane.txBytes],
                    txPackets: rates[Lane.txPackets], errors: rates[Lane.errors], dropped: rates[Lane.dropped])
            })
    }
}
