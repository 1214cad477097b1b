/// The second that samples are still adding to: one seldom begins and ends with a second.
struct OpenSecond: Sendable {
    private(set) var place: Int64 = 0
    private(set) var isEmpty = true
    /// By slot; of each the rates times the seconds that they held, and those.
    private var sums: [RateVector] = []

    /// Adds rates that held for a part of the second.
    mutating func add(_ rates: [RateVector], for seconds: Float, in place: Int64) {
        if sums.count < rates.count {
            sums.append(contentsOf: repeatElement(RateVector(), count: rates.count - sums.count))
        }
        for slot in rates.indices { sums[slot] += rates[slot] * seconds }
        self.place = place
        isEmpty = false
    }

    /// Forgets a slot that is another tunnel's from now on.
    mutating func clear(_ slot: Int) {
        if slot < sums.count { sums[slot] = RateVector() }
    }

    mutating func clear() {
        for slot in sums.indices { sums[slot] = RateVector() }
        isEmpty = true
    }

    /// - Parameter slots: how many.
    func frame(slots: Int) -> Frame {
        Frame(place: place, codes: Frame.codes(Array(sums.prefix(slots))))
    }
}
