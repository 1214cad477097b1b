/// A row of the file: the rates of one tunnel in the places of a block, each rate by itself. Of one that stays the same,
/// as zero mostly does, one code is written.
enum Block {
    private enum Form: UInt8 {
        /// One code, for all places.
        case constant = 0
        /// A code for each place.
        case each = 1
    }

    /// More than this a row doesn't have: bytes, with what SQLite adds to it.
    static func largestRow(_ resolution: Resolution) -> Int {
        Lane.count * (1 + 2 * resolution.blockPlaces) + 16
    }

    /// - Parameters:
    ///   - frames: of each place of the block; nil where there is none.
    ///   - since: what ends before it, in seconds since 1970, is another tunnel's.
    /// - Returns: nil where there is nothing to tell.
    static func encode(_ frames: [Frame?], slot: Int, since: Int64, _ resolution: Resolution) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(largestRow(resolution))
        var codes = [UInt16](repeating: PackedRate.nothing, count: frames.count)
        for lane in 0..<Lane.count {
            for (index, frame) in frames.enumerated() {
                guard let frame, (frame.place + 1) * resolution.seconds > since else { continue }
                codes[index] = frame.code(of: slot, lane)
            }
            let first = codes.first ?? PackedRate.nothing
            let isConstant = codes.allSatisfy { $0 == first }
            if isConstant, first == PackedRate.nothing { return nil }
            bytes.append((isConstant ? Form.constant : .each).rawValue)
            for code in isConstant ? [first] : codes { bytes += [UInt8(code & 0xFF), UInt8(code >> 8)] }
        }
        return bytes
    }

    /// - Returns: for each place the `Lane.count` codes, one after the other; nil where that isn't what was encoded.
    static func decode(_ bytes: [UInt8], places: Int) -> [UInt16]? {
        var codes = [UInt16](repeating: PackedRate.nothing, count: places * Lane.count)
        var position = 0
        for lane in 0..<Lane.count {
            guard position < bytes.count, let form = Form(rawValue: bytes[position]) else { return nil }
            let step = form == .each ? 2 : 0
            guard position + 3 + step * (places - 1) <= bytes.count else { return nil }
            for place in 0..<places {
                let index = position + 1 + place * step
                codes[place * Lane.count + lane] = UInt16(bytes[index]) | UInt16(bytes[index + 1]) << 8
            }
            position += 3 + step * (places - 1)
        }
        return position == bytes.count ? codes : nil
    }
}
