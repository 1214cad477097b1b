/// The counters of many links, found by ifindex.
///
/// A dictionary spends more on such a small key than the kernel on the counters: its hash function withstands chosen
/// keys, and ifindexes are the kernel's or ours.
public struct CounterTable: Sendable {
    /// What the errors and drops of a link were, where the data plane can tell and there were any.
    public var reasons: [Int32: [DropReason: UInt64]] = [:]

    private var ifindexes: [Int32] = []
    private var counters: [LinkCounters] = []
    /// Open addressing: each is a position in the arrays above, or `free`. At most half of them are taken.
    private var slots: [Int32] = []
    private var shift = UInt32(32)

    private static let free: Int32 = -1

    /// - Parameter capacity: how many links there will be, about.
    public init(capacity: Int = 0) {
        ifindexes.reserveCapacity(capacity)
        counters.reserveCapacity(capacity)
        makeSlots(for: capacity)
    }

    public var count: Int { ifindexes.count }

    /// Adds a link. Of two with one ifindex the first is found.
    public mutating func append(_ counters: LinkCounters, of ifindex: Int32) {
        if 2 * (count + 1) > slots.count { makeSlots(for: 2 * count) }
        ifindexes.append(ifindex)
        self.counters.append(counters)
        take(count - 1)
    }

    public subscript(ifindex: Int32) -> LinkCounters? {
        guard !slots.isEmpty else { return nil }
        var slot = slot(of: ifindex)
        while slots[slot] != Self.free {
            let position = Int(slots[slot])
            if ifindexes[position] == ifindex { return counters[position] }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    private mutating func makeSlots(for capacity: Int) {
        let bits = UInt32(max(Int.bitWidth - (2 * capacity).leadingZeroBitCount, 6))
        slots = Array(repeating: Self.free, count: 1 << bits)
        shift = 32 - bits
        for position in ifindexes.indices { take(position) }
    }

    private mutating func take(_ position: Int) {
        var slot = slot(of: ifindexes[position])
        while slots[slot] != Self.free { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = Int32(truncatingIfNeeded: position)
    }

    /// Multiplied by 2^32 divided by the golden ratio, neighbours come to lie far apart.
    private func slot(of ifindex: Int32) -> Int {
        Int((UInt32(bitPattern: ifindex) &* 0x9E37_79B9) >> shift)
    }
}
