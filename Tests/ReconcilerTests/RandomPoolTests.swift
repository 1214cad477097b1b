import Testing

@testable import Reconciler

@Suite struct RandomPoolTests {
    /// Of several times that it is filled.
    @Test func noNumberComesTwice() {
        var pool = RandomPool()
        let numbers = (0..<1000).map { _ in pool.next() }
        #expect(Set(numbers).count == 1000)
        // Each bit is set in about half of them.
        for bit in 0..<64 {
            let count = numbers.count { $0 >> UInt64(bit) & 1 == 1 }
            #expect((350...650).contains(count), "bit \(bit)")
        }
    }
}
