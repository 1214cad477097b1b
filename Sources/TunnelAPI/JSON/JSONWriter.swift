internal import HTTPServer

/// Writes JSON (RFC 8259) straight into bytes: no tree is built, and no text of a number on the way.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    /// Whether a value stands before the next one in its object or array.
    private var needsComma = false

    init(capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    // MARK: Structure

    mutating func object(_ members: (inout JSONWriter) -> Void) {
        enclosed(UInt8(ascii: "{"), UInt8(ascii: "}"), members)
    }

    mutating func array(_ elements: (inout JSONWriter) -> Void) {
        enclosed(UInt8(ascii: "["), UInt8(ascii: "]"), elements)
    }

    /// An array of one value for each element.
    mutating func array<Element>(
        _ name: StaticString, _ elements: some Sequence<Element>, _ write: (inout JSONWriter, Element) -> Void
    ) {
        key(name)
        array { for element in elements { write(&$0, element) } }
    }

    mutating func object(_ name: StaticString, _ members: (inout JSONWriter) -> Void) {
        key(name)
        object(members)
    }

    /// A member's name, one of the code's own that needs no escapes; its value comes next.
    mutating func key(_ name: StaticString) {
        member(name, capacity: 0) { _ in }
        needsComma = false
    }

    /// A member's name that a client chose; its value comes next.
    mutating func key(escaping name: String) {
        value(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// A member whose value takes at most `capacity` bytes.
    private mutating func member(
        _ name: StaticString, capacity: Int, _ write: (inout OutputSpan<UInt8>) -> Void
    ) {
        append(capacity: name.utf8CodeUnitCount + 3 + capacity) { output in
            output.append(UInt8(ascii: "\""))
            output.append(name)
            output.append("\":")
            write(&output)
        }
    }

    private mutating func enclosed(
        _ opening: UInt8, _ closing: UInt8, _ body: (inout JSONWriter) -> Void
    ) {
        append(capacity: 0) { $0.append(opening) }
        needsComma = false
        body(&self)
        bytes.append(closing)
        needsComma = true
    }

    /// Appends one value of at most `capacity` bytes, one more for its opening bracket, and a comma where one belongs.
    mutating func append(capacity: Int, _ write: (inout OutputSpan<UInt8>) -> Void) {
        let needsComma = needsComma
        bytes.append(addingCapacity: capacity + 2) { output in
            if needsComma { output.append(UInt8(ascii: ",")) }
            write(&output)
        }
        self.needsComma = true
    }

    // MARK: Values

    mutating func null() {
        append(capacity: 4) { $0.append("null") }
    }

    mutating func value(_ value: Bool) {
        append(capacity: 5) { $0.append(value ? "true" : "false") }
    }

    mutating func value(_ value: some FixedWidthInteger) {
        append(capacity: OutputSpan<UInt8>.integerBytes) { $0.append(decimal: value) }
    }

    /// The shortest text that reads back as the same double; `null` for what JSON can't say.
    mutating func value(_ value: Double) {
        let text = value.isFinite ? value.description : "null"
        append(capacity: text.utf8.count) { $0.append(text: text) }
    }

    /// A number that is rounded to thousandths; it must not be negative.
    mutating func value(toThousandths value: Double) {
        append(capacity: OutputSpan<UInt8>.integerBytes + 1) { $0.append(toThousandths: value) }
    }

    mutating func value(_ text: String) {
        let span = text.utf8.span
        var escapes = 0
        for position in span.indices where Self.isEscaped(span[position]) { escapes += 1 }
        append(capacity: span.count + escapes * 5 + 2) { output in
            output.append(UInt8(ascii: "\""))
            if escapes == 0 {
                output.append(text: text)
            } else {
                for position in span.indices { output.append(escaping: span[position]) }
            }
            output.append(UInt8(ascii: "\""))
        }
    }

    fileprivate static func isEscaped(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    // MARK: Members

    mutating func member(_ name: StaticString, _ value: Bool) {
        key(name)
        self.value(value)
    }

    mutating func member(_ name: StaticString, _ value: some FixedWidthInteger) {
        member(name, capacity: OutputSpan<UInt8>.integerBytes) { $0.append(decimal: value) }
    }

    /// A number that is rounded to thousandths; it must not be negative.
    mutating func member(_ name: StaticString, toThousandths value: Double) {
        member(name, capacity: OutputSpan<UInt8>.integerBytes + 1) { $0.append(toThousandths: value) }
    }

    mutating func member(_ name: StaticString, _ value: String) {
        key(name)
        self.value(value)
    }

    /// A text, or null.
    mutating func member(_ name: StaticString, _ value: String?) {
        key(name)
        if let value { self.value(value) } else { null() }
    }

    /// An integer, or null.
    mutating func member(_ name: StaticString, _ value: (some FixedWidthInteger)?) {
        key(name)
        if let value { self.value(value) } else { null() }
    }
}

extension OutputSpan<UInt8> {
    fileprivate mutating func append(escaping byte: UInt8) {
        guard JSONWriter.isEscaped(byte) else { return append(byte) }
        append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\n"): append(UInt8(ascii: "n"))
        case UInt8(ascii: "\r"): append(UInt8(ascii: "r"))
        case UInt8(ascii: "\t"): append(UInt8(ascii: "t"))
        case 0..<0x20:
            append("u00")
            append(hexadecimal: byte >> 4)
            append(hexadecimal: byte & 15)
        default: append(byte)
        }
    }
}

extension JSONWriter {
    mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let value): self.value(value)
        case .integer(let value): self.value(value)
        case .double(let value): self.value(value)
        case .string(let value): self.value(value)
        case .array(let elements): array { for element in elements { $0.value(element) } }
        case .object(let members):
            object { writer in
                for (name, value) in members.sorted(by: { $0.key < $1.key }) {
                    writer.key(escaping: name)
                    writer.value(value)
                }
            }
        }
    }
}
