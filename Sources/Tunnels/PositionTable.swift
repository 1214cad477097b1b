/// Finds positions in an array by a key that the elements there have. A tenth of a dictionary's size, which would hold
/// the keys again.
struct PositionTable: Sendable {
    /// Open addressing: positions, or `free`. At most half of them are taken.
    private var slots: [Int32]
    private let shift: UInt64

    private static let free: Int32 = -1

    /// - Parameter capacity: how many positions there may be at most.
    init(capacity: Int) {
        let bits = max(Int.bitWidth - (2 * capacity).leadingZeroBitCount, 1)
        slots = Array(repeating: Self.free, count: 1 << bits)
        shift = UInt64(64 - bits)
    }

    /// Adds a position, or puts it in the place of one whose key is the same.
    ///
    /// - Parameter hash: of the key.
    mutating func insert(_ position: Int, hash: Int, replacing isSame: (Int) -> Bool = { _ in false }) {
        slots[slot(hash, where: isSame)] = Int32(truncatingIfNeeded: position)
    }

    /// - Parameter hash: of the key.
    func position(hash: Int, where isSame: (Int) -> Bool) -> Int? {
        let found = slots[slot(hash, where: isSame)]
        return found == Self.free ? nil : Int(found)
    }

    /// The slot of the key, or the one that it would get.
    private func slot(_ hash: Int, where isSame: (Int) -> Bool) -> Int {
        // Multiplied by 2^64 divided by the golden ratio, neighbours come to lie far apart.
        var slot = Int((UInt64(bitPattern: Int64(hash)) &* 0x9E37_79B9_7F4A_7C15) >> shift)
        while slots[slot] != Self.free, !isSame(Int(slots[slot])) { slot = (slot + 1) & (slots.count - 1) }
        return slot
    }
}
