internal import Glibc

/// The system's random numbers, got many at a time: each time is a system call.
struct RandomPool: RandomNumberGenerator {
    private static let size = 32

    private var numbers: [UInt64] = []

    mutating func next() -> UInt64 {
        if numbers.isEmpty {
            numbers = [UInt64](unsafeUninitializedCapacity: Self.size) { buffer, count in
                guard let start = buffer.baseAddress else { return }
                arc4random_buf(start, Self.size * MemoryLayout<UInt64>.stride)
                count = Self.size
            }
        }
        return numbers.removeLast()
    }
}
