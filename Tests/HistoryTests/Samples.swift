import Tunnels

@testable import History

/// A generator whose numbers are the same in each run.
struct Numbers: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) {
        state = seed
    }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}

func ids(_ count: Int, seed: UInt64 = 1) -> [TunnelID] {
    var numbers = Numbers(seed)
    return (0..<count).map { TunnelID(at: Timestamp(milliseconds: Int64($0)), using: &numbers) }
}

/// Of 100 bytes received a packet, and twice as much sent.
func growth(packets: UInt64, errors: UInt64 = 0, dropped: UInt64 = 0) -> LinkCounters {
    var growth = LinkCounters()
    (growth.rx.packets, growth.rx.bytes) = (packets, packets * 100)
    (growth.tx.packets, growth.tx.bytes) = (packets * 2, packets * 200)
    (growth.rx.errors, growth.tx.errors) = (errors, errors)
    (growth.rx.dropped, growth.tx.dropped) = (dropped, dropped)
    return growth
}

extension Frames {
    /// Takes in a sample of tunnels that all grew by as much.
    ///
    /// - Parameter end: seconds since 1970.
    @discardableResult
    mutating func record(until end: Double, seconds: Double = 1, _ ids: [TunnelID], packets: UInt64?) -> Continuity {
        let grown: LinkCounters? = packets.map { growth(packets: $0) }
        let growths: [(id: TunnelID, growth: LinkCounters?)] = ids.map { ($0, grown) }
        return record(until: Int64((end * 1000).rounded()), seconds: seconds, growths)
    }

    /// Received packets per second, of each step; nil where there is nothing.
    func packets(_ id: TunnelID, _ time: Range<Int64>, step: Int64) -> [Double?] {
        var resampler = Resampler(StepSpan(covering: time, step: step))
        _ = add(id, to: &resampler, onDisk: Resolution.allCases.map { _ in nil })
        return resampler.series.steps.map { $0?.rxPackets }
    }
}

/// Whether a rate is what it should be, as truly as it is stored.
func isNear(_ rate: Double?, _ wanted: Double?) -> Bool {
    guard let rate, let wanted else { return rate == nil && wanted == nil }
    return abs(rate - wanted) <= max(wanted * 0.002, 0.0001)
}
