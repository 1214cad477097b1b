import Testing

@testable import History

@Suite struct PackedRateTests {
    @Test func everyCodeIsARateOfItsOwnInOrder() {
        var former: Float = -1
        for code in UInt16(0)..<PackedRate.nothing {
            let rate = PackedRate.unpack(code)
            #expect(rate > former && rate.isFinite)
            #expect(PackedRate.pack(rate) == code)
            former = rate
        }
    }

    @Test func aRateIsTrueToHalfAThousandth() {
        var numbers = Numbers(1)
        for _ in 0..<100_000 {
            let exponent = Float.random(in: -14...47, using: &numbers)
            let rate =
                Float.random(in: 1..<2, using: &numbers) * Float(sign: .plus, exponent: Int(exponent), significand: 1)
            #expect(abs(PackedRate.unpack(PackedRate.pack(rate)) - rate) <= rate * 0.0005)
        }
    }

    @Test func wholeNumbersUpTo2048AreExact() {
        for number in 0...2048 { #expect(PackedRate.unpack(PackedRate.pack(Float(number))) == Float(number)) }
    }

    @Test func whatIsOutOfBoundsIsTheNearest() {
        for rate: Float in [-1, -0.0, 0, 1e-9, .leastNonzeroMagnitude, .nan, -.infinity] {
            #expect(PackedRate.pack(rate) == 0)
        }
        let largest = PackedRate.unpack(PackedRate.nothing - 1)
        for rate: Float in [3e14, 1e30, .greatestFiniteMagnitude, .infinity] {
            #expect(PackedRate.unpack(PackedRate.pack(rate)) == largest)
        }
        #expect(largest > 2.8e14)
    }

    @Test func roundingDoesNotDrift() {
        var numbers = Numbers(2)
        var (exact, packed) = (0.0, 0.0)
        for _ in 0..<100_000 {
            let rate = Float.random(in: 1000..<2_000_000, using: &numbers)
            exact += Double(rate)
            packed += Double(PackedRate.unpack(PackedRate.pack(rate)))
        }
        #expect(abs(packed / exact - 1) < 0.000_01)
    }
}
