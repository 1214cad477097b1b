extension [UInt8] {
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

    /// Appends the shortest text that reads back as the same double; `null` for infinities and NaN.
    mutating func append(decimal value: Double) {
        guard value.isFinite else { return append(contentsOf: "null".utf8) }
        // Rates have few digits. With at most 15 significant ones a decimal that reads back as the same double
        // is the shortest, so thousandths need no general algorithm.
        let thousandths = (value * 1000).rounded()
        guard abs(thousandths) < 1e15, thousandths / 1000 == value, value.sign == .plus else {
            return append(contentsOf: value.description.utf8)
        }
        let (whole, fraction) = UInt64(thousandths).quotientAndRemainder(dividingBy: 1000)
        append(digits: whole)
        append(UInt8(ascii: "."))
        append(UInt8(ascii: "0") + UInt8(fraction / 100))
        if fraction % 100 != 0 { append(UInt8(ascii: "0") + UInt8(fraction / 10 % 10)) }
        if fraction % 10 != 0 { append(UInt8(ascii: "0") + UInt8(fraction % 10)) }
    }

    /// Appends the digit of a value under 16.
    mutating func append(hexadecimal value: UInt8) {
        append(value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10)
    }
}
