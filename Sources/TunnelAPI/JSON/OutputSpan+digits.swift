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
        repeat {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            first -= 1
            digits[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit)
            rest = quotient
        } while rest > 0
        for position in first..<digits.count { append(digits[position]) }
    }

    /// Appends a number of thousandths in units, with as many decimals as it needs: `1.0`, `0.25`.
    mutating func append(thousandths value: UInt64) {
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

    /// Appends a text as it is.
    mutating func append(text: String) {
        let span = text.utf8.span
        for position in span.indices { append(span[position]) }
    }
}
