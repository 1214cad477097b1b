/// The frames of one resolution, in order of time.
struct FrameRing: Sendable {
    let resolution: Resolution
    private(set) var frames: [Frame] = []
    /// Of all frames.
    private(set) var bytes = 0
    /// Whether there was more before the first.
    private(set) var hasDropped = false

    init(_ resolution: Resolution) {
        self.resolution = resolution
    }

    /// From the begin of the first frame to the end of the last, in seconds since 1970; nil where there is none.
    var span: Range<Int64>? {
        guard let first = frames.first, let last = frames.last else { return nil }
        return first.place * resolution.seconds..<(last.place + 1) * resolution.seconds
    }

    /// Puts a frame in its place. Where there is one already, the newer of the two counts, and the older where that has
    /// nothing.
    mutating func insert(_ frame: Frame, isOlder: Bool = false) {
        let index = index(of: frame.place)
        var frame = frame
        if index < frames.count, frames[index].place == frame.place {
            frame = isOlder ? frames[index].filled(from: frame) : frame.filled(from: frames[index])
            bytes -= frames[index].bytes
            frames[index] = frame
        } else {
            frames.insert(frame, at: index)
        }
        bytes += frame.bytes
    }

    /// The frames whose places are in the range.
    func frames(in places: Range<Int64>) -> ArraySlice<Frame> {
        frames[index(of: places.lowerBound)..<index(of: places.upperBound)]
    }

    /// Drops the oldest frames, so that so many are left at most.
    mutating func trim(to count: Int) {
        guard frames.count > count else { return }
        hasDropped = true
        drop(0..<(frames.count - count))
    }

    /// Drops what ends after a time, in seconds since 1970.
    mutating func removeFrames(endingAfter time: Int64) {
        drop(index(of: time.floorDivided(by: resolution.seconds))..<frames.count)
    }

    private mutating func drop(_ range: Range<Int>) {
        for frame in frames[range] { bytes -= frame.bytes }
        frames.removeSubrange(range)
    }

    /// The first index whose place isn't before `place`.
    private func index(of place: Int64) -> Int {
        if let last = frames.last, last.place < place { return frames.count }
        var (low, high) = (0, frames.count)
        while low < high {
            let middle = (low + high) / 2
            if frames[middle].place < place { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
