internal import HTTPServer

extension OutputSpan<UInt8> {
    /// Bytes that the longest integer needs, with its sign.
    static var integerBytes: Int { 20 }

    /// Appends an integer's decimal digits.
    mutating func append(decimal value: some FixedWidthInteger) {
        if value < 0 { append(UInt8(ascii: "-")) }
        append(digits: UInt64(truncatingIfNeeded: value.magnitude))
    }

    private mutating func append(digits value: UInt64) {
        if value < 10 { return append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value)) }
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var first = digits.count
        var rest = value
        while rest >= 10 {
            let (quotient, pair) = rest.quotientAndRemainder(dividingBy: 100)
            first -= 2
            digits[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: pair / 10)
            digits[first + 1] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: pair % 10)
            rest = quotient
        }
        if rest > 0 {
            first -= 1
            digits[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest)
        }
        append(copying: digits.span.extracting(first...))
    }

    /// Appends a number that isn't negative, rounded to thousandths.
    mutating func append(toThousandths value: Double) {
        let thousandths = value * 1000 + 0.5
        append(thousandths: (0..<0x1p64).contains(thousandths) ? UInt64(thousandths) : 0)
    }

    /// Appends a number of thousandths in units, with as many decimals as it needs: `1.0`, `0.25`.
    private mutating func append(thousandths value: UInt64) {
        let (whole, fraction) = value.quotientAndRemainder(dividingBy: 1000)
        append(digits: whole)
        append(UInt8(ascii: "."))
        append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: fraction / 100))
        if fraction % 100 != 0 { append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: fraction / 10 % 10)) }
        if fraction % 10 != 0 { append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: fraction % 10)) }
    }

    /// Appends the digit of a value under 16.
    mutating func append(hexadecimal value: UInt8) {
        append(value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10)
    }
}
