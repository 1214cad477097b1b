/// How often values fell into each of some ranges, and their sum: what a histogram of Prometheus is made of.
public struct Histogram: Hashable, Sendable {
    /// Where each range ends, ascending; what is larger than the last falls into one more.
    public let bounds: [Double]
    /// Of each range, without those before it.
    public private(set) var counts: [UInt64]
    public private(set) var sum = 0.0

    public init(bounds: [Double]) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    /// For what takes between a tenth of a millisecond and ten seconds; in seconds.
    public static let ofDurations = Histogram(bounds: [
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ])

    public var count: UInt64 { counts.reduce(0, +) }

    public mutating func add(_ value: Double) {
        counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
        sum += value
    }

    public mutating func add(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        add(Double(seconds) + Double(attoseconds) / 1e18)
    }
}
