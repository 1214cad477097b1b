import Testing

@testable import History

@Suite struct BlockTests {
    private func frames(_ resolution: Resolution, _ numbers: inout Numbers) -> [Frame?] {
        (0..<resolution.blockPlaces).map { place in
            guard Int.random(in: 0..<4, using: &numbers) > 0 else { return nil }
            let codes = (0..<5).flatMap { slot -> [UInt16] in
                if slot == 3 || Bool.random(using: &numbers) {
                    return Array(repeating: PackedRate.nothing, count: Lane.count)
                }
                return (0..<Lane.count).map { lane in
                    lane > 3 || slot == 2 ? 0 : UInt16.random(in: 0..<PackedRate.nothing, using: &numbers)
                }
            }
            return Frame(place: Int64(place), codes: codes)
        }
    }

    @Test func whatIsEncodedIsDecoded() throws {
        var numbers = Numbers(9)
        for resolution in Resolution.stored {
            for _ in 0..<50 {
                let frames = frames(resolution, &numbers)
                for slot in 0..<7 {
                    guard let bytes = Block.encode(frames, slot: slot, since: .min, resolution) else {
                        #expect(frames.allSatisfy { $0?[slot].isEmpty ?? true })
                        continue
                    }
                    #expect(bytes.count <= Block.largestRow(resolution))
                    let codes = try #require(Block.decode(bytes, places: resolution.blockPlaces))
                    let decoded = Frame(place: 0, codes: codes)
                    for (place, frame) in frames.enumerated() { #expect(decoded[place] == frame?[slot] ?? .zero) }
                }
            }
        }
    }

    @Test func anIdleTunnelTakesAFewBytes() throws {
        let frames = (0..<30).map { Frame(place: Int64($0), codes: Array(repeating: 0, count: Lane.count)) }
        #expect(try #require(Block.encode(frames, slot: 0, since: .min, .tenSeconds)).count == 18)
    }

    @Test func whatIsAnotherTunnelsIsLeftOut() throws {
        let frames = (0..<30).map { Frame(place: Int64($0), codes: Array(repeating: 5, count: Lane.count)) }
        let bytes = try #require(Block.encode(frames, slot: 0, since: 100, .tenSeconds))
        let decoded = Frame(place: 0, codes: try #require(Block.decode(bytes, places: 30)))
        for place in 0..<30 { #expect(decoded[place].isEmpty == (place < 10)) }
        #expect(Block.encode(frames, slot: 0, since: 300, .tenSeconds) == nil)
    }

    @Test func anyOtherBytesAreRefused() {
        var numbers = Numbers(10)
        let frames = frames(.hour, &numbers)
        let whole = (0..<5).compactMap { Block.encode(frames, slot: $0, since: .min, .hour) }.first ?? []
        for count in 0..<whole.count { #expect(Block.decode(Array(whole[..<count]), places: 24) == nil) }
        #expect(Block.decode(whole + [0], places: 24) == nil)
        #expect(Block.decode([2] + whole.dropFirst(), places: 24) == nil)
        for _ in 0..<500 {
            let count = Int.random(in: 0..<400, using: &numbers)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...2, using: &numbers) }
            if let codes = Block.decode(bytes, places: 24) { #expect(codes.count == 24 * Lane.count) }
        }
    }
}
