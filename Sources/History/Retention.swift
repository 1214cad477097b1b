/// How many blocks of each resolution are kept on disk: all that are wanted, or proportionally fewer where the tunnels are
/// too many for the disk.
struct Retention: Equatable, Sendable {
    /// By `Resolution.stored`.
    private let blocks: [Int]

    /// A part of the budget stays free: for pages that are half empty, and for the write-ahead log.
    private static let usable = 0.7

    /// - Parameters:
    ///   - tunnels: that have rows, also those that were deleted and whose rows are still there.
    ///   - budget: bytes.
    init(tunnels: Int, budget: Int) {
        let full = Resolution.stored.map { $0.fullBlocks * Block.largestRow($0) }.reduce(0, +)
        let share = min(Double(budget) * Self.usable / Double(max(tunnels, 1) * full), 1)
        // The one that is being written and the one before it, so that something is there at each time.
        blocks = Resolution.stored.map { max(Int(Double($0.fullBlocks) * share), 2) }
    }

    subscript(resolution: Resolution) -> Int {
        Resolution.stored.firstIndex(of: resolution).map { blocks[$0] } ?? 0
    }

    /// Seconds before the present that are shown.
    func seconds(_ resolution: Resolution) -> Int64 { Int64(self[resolution]) * resolution.blockSeconds }
}
