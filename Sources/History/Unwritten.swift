internal import Tunnels

/// What is to be written: blocks whose frames are all at hand.
struct Unwritten: Sendable {
    struct Block: Sendable {
        let resolution: Resolution
        let number: Int64
        /// Of each place; nil where there is none.
        let frames: [Frame?]
    }

    /// Of each slot.
    var ids: [TunnelID?]
    /// Of each slot, in seconds since 1970.
    var since: [Int64]
    var blocks: [Block] = []
}

extension Frames {
    /// Whole blocks of all that was recorded since the last call, with what there is of the present place of each.
    mutating func takeUnwritten() -> Unwritten {
        var unwritten = Unwritten(ids: slots.ids, since: slots.since)
        for resolution in Resolution.stored {
            let open = openFrame(resolution)
            let places = Int64(resolution.blockPlaces)
            var numbers = Set(open.map { [$0.place.floorDivided(by: places)] } ?? [])
            if let first = firstUnwritten[resolution.rawValue] {
                let frames = self[resolution].frames(in: first..<Int64.max)
                numbers.formUnion(frames.map { $0.place.floorDivided(by: places) })
            }
            for number in numbers.sorted() {
                unwritten.blocks.append(block(number, resolution, open: open))
            }
            firstUnwritten[resolution.rawValue] = nil
        }
        return unwritten
    }

    private func block(_ number: Int64, _ resolution: Resolution, open: Frame?) -> Unwritten.Block {
        let first = number * Int64(resolution.blockPlaces)
        var frames = [Frame?](repeating: nil, count: resolution.blockPlaces)
        let last = first + Int64(resolution.blockPlaces)
        for frame in self[resolution].frames(in: first..<last) { frames[Int(frame.place - first)] = frame }
        if let open, (first..<last).contains(open.place) {
            let offset = Int(open.place - first)
            frames[offset] = frames[offset].map { open.filled(from: $0) } ?? open
        }
        return Unwritten.Block(resolution: resolution, number: number, frames: frames)
    }

    /// What couldn't be written is written the next time, if it is still there.
    mutating func putBack(_ unwritten: Unwritten) {
        for block in unwritten.blocks {
            guard let place = block.frames.lazy.compactMap({ $0?.place }).first else { continue }
            noteUnwritten(place, block.resolution)
        }
    }
}
