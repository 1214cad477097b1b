extension JSONReader {
    /// Reads a string; the next byte is its opening quote.
    ///
    /// Noncharacters are let through, as RFC 8259 does: nothing here gives them a meaning.
    mutating func string() throws(JSONError) -> String {
        let opening = position
        advance()
        var text: [UInt8] = []
        var start = position
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                text += bytes[start..<position]
                advance()
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                text += bytes[start..<position]
                text += UTF8.encode(try escaped()) ?? UTF8.encodedReplacementCharacter
                start = position
            case ..<0x20:
                throw error("a control character in a string is written as \\n, \\t or \\u00XX")
            default:
                advance()
            }
        }
        throw JSONError(offset: opening, detail: "this string has no closing quote")
    }

    /// Reads one escape, or the two of a surrogate pair; the next byte is the backslash.
    private mutating func escaped() throws(JSONError) -> Unicode.Scalar {
        let start = position
        advance()
        let byte = current
        advance()
        switch byte {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try scalar(escapedFrom: start)
        default: throw JSONError(offset: start, detail: "JSON has no such escape")
        }
    }

    private mutating func scalar(escapedFrom start: Int) throws(JSONError) -> Unicode.Scalar {
        let first = try fourDigits(from: start)
        if let scalar = Unicode.Scalar(first) { return scalar }
        let lone = JSONError(offset: start, detail: "half of a surrogate pair stands for no character")
        guard first < 0xDC00, current == UInt8(ascii: "\\") else { throw lone }
        advance()
        guard current == UInt8(ascii: "u") else { throw lone }
        advance()
        let second = try fourDigits(from: start)
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (UInt32(first - 0xD800) << 10 | UInt32(second - 0xDC00)))
        else { throw lone }
        return scalar
    }

    private mutating func fourDigits(from start: Int) throws(JSONError) -> UInt16 {
        var value: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw JSONError(offset: start, detail: "\\u is followed by four hexadecimal digits")
            }
            value = value << 4 | UInt16(digit)
            advance()
        }
        return value
    }
}
