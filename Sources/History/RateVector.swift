internal import Tunnels

/// The six rates of a tunnel, each times a weight, and in the last lane the weight: the seconds or places that they are
/// the sum of. So sums are added as they are, and a tunnel of which nothing is known is zero.
typealias RateVector = SIMD8<Float>

/// The lanes that are rates, per second, in the order in which they are stored.
enum Lane {
    static let rxBytes = 0
    static let rxPackets = 1
    static let txBytes = 2
    static let txPackets = 3
    static let errors = 4
    static let dropped = 5
    static let count = 6
    static let weight = 7
}

extension RateVector {
    /// - Parameter seconds: that it took to grow so much.
    init(_ growth: LinkCounters, in seconds: Float) {
        self.init(
            Float(growth.rx.bytes), Float(growth.rx.packets), Float(growth.tx.bytes), Float(growth.tx.packets),
            // Sums of what may be any number.
            Float(growth.rx.errors) + Float(growth.tx.errors), Float(growth.rx.dropped) + Float(growth.tx.dropped), 0,
            seconds)
        self /= seconds
    }

    var isEmpty: Bool { self[Lane.weight] <= 0 }

    /// For weight 1.
    var average: RateVector { self / self[Lane.weight] }
}
