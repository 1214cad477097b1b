import Testing

@testable import HTTPServer

@Suite struct PieceQueueTests {
    private func take(_ count: Int, from queue: inout PieceQueue) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let taken = bytes.withUnsafeMutableBytes { queue.take(into: $0) }
        return Array(bytes.prefix(taken))
    }

    @Test(arguments: [1, 7, 1000, 16_384, 1_000_000]) func allComesOutInOrder(size: Int) {
        var queue = PieceQueue()
        var (expected, received) = ([UInt8](), [UInt8]())
        let shared = (0..<30_000).map { UInt8(truncatingIfNeeded: $0 * 7) }
        for round in 0..<40 {
            let own = (0..<(round * 113 % 9000 + 1)).map { UInt8(truncatingIfNeeded: $0 + round) }
            for bytes in [own, shared, own] {
                if bytes.count == shared.count { queue.append(sharing: bytes) } else { queue.append(copying: bytes) }
                expected += bytes
                #expect(queue.count == expected.count - received.count)
            }
            received += take(size, from: &queue)
        }
        while !queue.isEmpty { received += take(max(size, 500), from: &queue) }
        #expect(received == expected)
        #expect(take(10, from: &queue) == [])
    }

    /// Where a reader is always a little behind, what it took goes all the same.
    @Test func whatWasTakenIsForgottenThoughMoreWaits() {
        var queue = PieceQueue()
        queue.append(copying: [UInt8](repeating: 0, count: 10))
        for round in 1...1000 {
            queue.append(copying: [UInt8](repeating: UInt8(truncatingIfNeeded: round), count: 100))
            #expect(take(100, from: &queue).count == 100)
            #expect(queue.count == 10)
            #expect(queue.heldBytes <= 16 * 1024 + 200)
        }
        #expect(take(100, from: &queue) == [UInt8](repeating: 0xE8, count: 10))
    }

    /// What is appended to is never another stream's.
    @Test func aSharedPieceStaysAsItIs() {
        let shared: [UInt8] = [1, 2, 3]
        var (first, second) = (PieceQueue(), PieceQueue())
        first.append(sharing: shared)
        second.append(sharing: shared)
        first.append(copying: [4])
        #expect(take(10, from: &first) == [1, 2, 3, 4])
        #expect(take(10, from: &second) == [1, 2, 3])
    }
}
