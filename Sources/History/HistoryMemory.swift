internal import Synchronization
internal import Tunnels

/// The frames, shared by who records, who reads and the queue of the disk.
final class HistoryMemory: Sendable {
    let frames: Mutex<Frames>

    init(budget: Int, hasDisk: Bool) {
        frames = Mutex(Frames(budget: budget, hasDisk: hasDisk))
    }

    /// Of a tunnel whose rows are being loaded.
    func slot(of id: TunnelID, now: Int64) -> Int? {
        frames.withLock { $0.slots.add(id, from: now, limit: $0.slotLimit) }
    }

    /// Puts in a block as it was on disk.
    ///
    /// - Parameters:
    ///   - codes: of each place.
    ///   - now: seconds since 1970. Later places are left out, and so is the present one where it will be made of what
    ///     is finer, which was loaded too.
    func insert(_ codes: [[UInt16]], of block: Int64, _ resolution: Resolution, now: Int64) {
        let first = block * Int64(resolution.blockPlaces)
        let present = now.floorDivided(by: resolution.seconds)
        let end = resolution == .tenSeconds ? present + 1 : present
        frames.withLock { frames in
            for (offset, codes) in codes.enumerated() where !codes.isEmpty && first + Int64(offset) < end {
                frames.fill(Frame(place: first + Int64(offset), codes: codes), resolution)
            }
        }
    }
}
