/// How many frames of each resolution are kept in memory: as many as are wanted, or proportionally fewer where the memory
/// doesn't suffice for the tunnels that there are.
struct MemoryPlan: Equatable, Sendable {
    /// Of a frame, beside its codes.
    static let frameOverhead = 80
    /// For each tunnel, beside the frames: two sums, what a sample grew by, its id and where it is found.
    static let slotOverhead = 256
    private static let slotBytes = Lane.count * MemoryLayout<UInt16>.size

    /// By resolution.
    let frames: [Int]

    /// - Parameters:
    ///   - budget: bytes.
    ///   - slots: in a frame.
    ///   - hasDisk: whether what is older is on disk.
    init(budget: Int, slots: Int, hasDisk: Bool) {
        let (least, most) = (Self.least(hasDisk), Self.most(hasDisk))
        let frameBytes = slots * Self.slotBytes + Self.frameOverhead
        let room = Double(budget - slots * Self.slotOverhead) / Double(frameBytes)
        let (leastSum, mostSum) = (least.reduce(0, +), most.reduce(0, +))
        let share = min(max((room - Double(leastSum)) / Double(mostSum - leastSum), 0), 1)
        frames = zip(least, most).map { $0 + Int(Double($1 - $0) * share) }
    }

    /// How many tunnels there is room for: of more nothing is kept.
    static func slots(within budget: Int, hasDisk: Bool) -> Int {
        let frames = least(hasDisk).reduce(0, +)
        return max(budget - frames * frameOverhead, 0) / (frames * slotBytes + slotOverhead)
    }

    /// Of each what the next coarser place is made of, and on the way to the disk two blocks.
    private static func least(_ hasDisk: Bool) -> [Int] { hasDisk ? [20, 60, 120, 48] : [20, 12, 62, 24] }

    /// Ten minutes of seconds, and where there is no disk, of the others what else would be there.
    private static func most(_ hasDisk: Bool) -> [Int] {
        let stored = Resolution.stored.map { $0.fullBlocks * $0.blockPlaces }
        return [600] + (hasDisk ? Array(least(true).dropFirst()) : stored)
    }
}
