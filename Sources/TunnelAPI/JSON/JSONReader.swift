/// Reads JSON strictly: RFC 8259, and of I-JSON (RFC 7493) what keeps a text from meaning two things. It is
/// valid UTF-8 without lone surrogates, and no object has one name twice. Time is linear in the text's length.
struct JSONReader {
    static let maximumDepth = 16

    private(set) var position = 0
    let bytes: [UInt8]
    private var depth = 0

    static func read(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
        try validateUTF8(bytes)
        var reader = JSONReader(bytes: bytes)
        reader.skipSpace()
        let value = try reader.value()
        reader.skipSpace()
        guard reader.position == bytes.count else {
            throw reader.error("the text should end here; give one JSON value and nothing after it")
        }
        return value
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private static func validateUTF8(_ bytes: [UInt8]) throws(JSONError) {
        do {
            _ = try UTF8Span(validating: bytes.span)
        } catch {
            throw JSONError(offset: error.byteOffsets.lowerBound, detail: "this isn't valid UTF-8")
        }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw JSONError(offset: 0, detail: "leave out the byte order mark")
        }
    }

    // MARK: Values

    private mutating func value() throws(JSONError) -> JSONValue {
        guard let current else { throw error("the text ends where a value should stand") }
        switch current {
        case UInt8(ascii: "{"): return .object(try object())
        case UInt8(ascii: "["): return .array(try array())
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: throw error("a value should stand here")
        }
    }

    private mutating func literal(_ text: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
        let end = position + text.utf8.count
        guard end <= bytes.count, bytes[position..<end].elementsEqual(text.utf8) else {
            throw error("this isn't a JSON value; did you mean \(text)?")
        }
        position = end
        return value
    }

    private mutating func object() throws(JSONError) -> [String: JSONValue] {
        try enter()
        var members: [String: JSONValue] = [:]
        if take(UInt8(ascii: "}")) { return members }
        repeat {
            let start = position
            guard current == UInt8(ascii: "\"") else {
                throw error("a member's name in quotes should stand here")
            }
            let name = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw error("':' should stand here") }
            guard members.updateValue(try value(), forKey: name) == nil else {
                throw JSONError(offset: start, detail: "this name is in the object twice; leave one out")
            }
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw error("',' or '}' should stand here") }
        return members
    }

    private mutating func array() throws(JSONError) -> [JSONValue] {
        try enter()
        var elements: [JSONValue] = []
        if take(UInt8(ascii: "]")) { return elements }
        repeat {
            elements.append(try value())
            skipSpace()
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw error("',' or ']' should stand here") }
        return elements
    }

    /// Steps over the opening bracket.
    private mutating func enter() throws(JSONError) {
        guard depth < Self.maximumDepth else { throw error("nest at most \(Self.maximumDepth) levels") }
        depth += 1
        position += 1
        skipSpace()
    }

    // MARK: Bytes

    var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func advance() { position += 1 }

    func error(_ detail: String) -> JSONError {
        JSONError(offset: position, detail: detail)
    }

    /// Steps over one structural byte, and the space after it, if it's the next; a closing one ends a level.
    private mutating func take(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        position += 1
        if byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") { depth -= 1 } else { skipSpace() }
        return true
    }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || (0x09...0x0A).contains(byte) || byte == 0x0D {
            position += 1
        }
    }
}
