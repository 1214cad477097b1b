/// The rates of all tunnels in one place of time, side by side: so to add one is to write in one go, and what memory they
/// take is their number times that of the tunnels.
struct Frame: Sendable {
    let place: Int64
    /// `Lane.count` codes for each slot. Frames of seconds that one sample covers share them.
    let codes: [UInt16]

    init(place: Int64, codes: [UInt16]) {
        self.place = place
        self.codes = codes
    }

    /// What the codes take, whether they are shared or not.
    var bytes: Int { codes.count * MemoryLayout<UInt16>.size + MemoryPlan.frameOverhead }

    /// The rates of a slot with weight 1, or zero where there is nothing.
    subscript(slot: Int) -> RateVector {
        let first = slot * Lane.count
        guard first < codes.count, codes[first] != PackedRate.nothing else { return RateVector() }
        var rates = RateVector()
        for lane in 0..<Lane.count { rates[lane] = PackedRate.unpack(codes[first + lane]) }
        rates[Lane.weight] = 1
        return rates
    }

    func code(of slot: Int, _ lane: Int) -> UInt16 {
        let index = slot * Lane.count + lane
        return index < codes.count ? codes[index] : PackedRate.nothing
    }

    /// The averages of what was summed up for each slot.
    static func codes(_ sums: [RateVector]) -> [UInt16] {
        var codes = [UInt16](repeating: PackedRate.nothing, count: sums.count * Lane.count)
        for slot in sums.indices where !sums[slot].isEmpty {
            let rates = sums[slot].average
            for lane in 0..<Lane.count { codes[slot * Lane.count + lane] = PackedRate.pack(rates[lane]) }
        }
        return codes
    }

    /// With what `other`, of the same place, has where this one has nothing.
    func filled(from other: Frame) -> Frame {
        var merged = codes
        let missing = other.codes.count - codes.count
        if missing > 0 { merged.append(contentsOf: repeatElement(PackedRate.nothing, count: missing)) }
        for first in stride(from: 0, to: other.codes.count, by: Lane.count)
        where merged[first] == PackedRate.nothing {
            for index in first..<(first + Lane.count) { merged[index] = other.codes[index] }
        }
        return Frame(place: place, codes: merged)
    }
}
