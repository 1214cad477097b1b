extension JSONReader {
    /// The longest number read: far more digits than a double or an integer has.
    private static let maximumNumberBytes = 400

    /// Reads a number; the next byte is a digit or `-`. What is a whole number that fits is kept as one,
    /// exactly; the rest is rounded to the nearest double.
    mutating func number() throws(JSONError) -> JSONValue {
        let start = position
        var decimal = Decimal(isNegative: current == UInt8(ascii: "-"))
        if decimal.isNegative { advance() }
        if current == UInt8(ascii: "0") {
            advance()
            if isDigit { throw JSONError(offset: start, detail: "a number has no leading zeros") }
        } else {
            try digits { decimal.append($0) }
        }
        if current == UInt8(ascii: ".") {
            advance()
            try digits { decimal.appendFraction($0) }
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            advance()
            let isNegative = current == UInt8(ascii: "-")
            if isNegative || current == UInt8(ascii: "+") { advance() }
            var exponent = 0
            try digits { exponent = min(exponent * 10 + Int($0), 1_000_000) }
            decimal.exponent += isNegative ? -exponent : exponent
        }
        if let integer = decimal.integer { return .integer(integer) }
        guard position - start <= Self.maximumNumberBytes,
            let double = Double(String(decoding: bytes[start..<position], as: UTF8.self)), double.isFinite
        else { throw JSONError(offset: start, detail: "this number is too long or too large") }
        return .double(double)
    }

    private var isDigit: Bool { current.map { (0x30...0x39).contains($0) } ?? false }

    private mutating func digits(_ body: (UInt8) -> Void) throws(JSONError) {
        guard isDigit else { throw error("a digit should stand here") }
        while let byte = current, isDigit {
            body(byte - 0x30)
            advance()
        }
    }

    /// `significand` × 10^`exponent`.
    private struct Decimal {
        let isNegative: Bool
        var exponent = 0
        /// Without trailing zeros: `pendingZeros` counts those. nil once it doesn't fit.
        private var significand: UInt64? = 0
        private var pendingZeros = 0

        init(isNegative: Bool) {
            self.isNegative = isNegative
        }

        mutating func append(_ digit: UInt8) {
            guard digit != 0 else {
                pendingZeros += significand == 0 ? 0 : 1
                return
            }
            significand = scaled(by: pendingZeros + 1).flatMap { scaled in
                let (sum, overflow) = scaled.addingReportingOverflow(UInt64(digit))
                return overflow ? nil : sum
            }
            pendingZeros = 0
        }

        mutating func appendFraction(_ digit: UInt8) {
            append(digit)
            exponent -= 1
        }

        /// The value, if it's a whole number that fits.
        var integer: Int64? {
            guard significand != 0 else { return 0 }
            let power = exponent + pendingZeros
            guard power >= 0, let magnitude = scaled(by: power) else { return nil }
            if isNegative, magnitude == Int64.min.magnitude { return .min }
            return Int64(exactly: magnitude).map { isNegative ? -$0 : $0 }
        }

        private func scaled(by power: Int) -> UInt64? {
            guard var value = significand, power < 20 else { return nil }
            for _ in 0..<power {
                let (product, overflow) = value.multipliedReportingOverflow(by: 10)
                if overflow { return nil }
                value = product
            }
            return value
        }
    }
}
