/// A request's header fields: one copy of the section's bytes and where each field lies in it.
public final class RequestHeaders: Sendable {
    struct Field {
        var name: Range<Int>
        /// Without space around it.
        var value: Range<Int>
        /// Where the line ends.
        var end: Int
    }

    let bytes: [UInt8]
    let fields: [Field]
    let framing: Framing
    /// The bearer token that the fields carry.
    public let bearerToken: BearerToken

    /// What the fields say of the message as a whole.
    struct Framing {
        /// What some of them may say depends on it.
        var isVersion11: Bool
        var isChunked: Bool
        var announcesBody: Bool
        /// nil where it isn't given.
        var contentLength: Int?
    }

    init(bytes: [UInt8], fields: [Field], framing: Framing) {
        self.bytes = bytes
        self.fields = fields
        self.framing = framing
        let (isPresent, credentials) = Self.only("authorization", in: fields, bytes)
        bearerToken =
            if let credentials {
                unsafe bytes.withUnsafeBufferPointer { unsafe BearerToken(credentials: $0.extracting(credentials)) }
            } else {
                isPresent ? .malformed : .absent
            }
    }

    public var count: Int { fields.count }

    /// The first value of that name, compared without case; nil without one.
    public subscript(name: String) -> String? {
        fields.first { matches(name, $0) }.map { text($0.value) }
    }

    /// Every value of that name in the order of arrival.
    public func values(_ name: String) -> [String] {
        var values: [String] = []
        for field in fields where matches(name, field) { values.append(text(field.value)) }
        return values
    }

    /// Whether there is a field of that name, and where its value is if there is exactly one.
    private static func only(
        _ lowercase: StaticString, in fields: [Field], _ bytes: [UInt8]
    ) -> (isPresent: Bool, value: Range<Int>?) {
        var found: Range<Int>?
        var isPresent = false
        unsafe bytes.withUnsafeBufferPointer { bytes in
            for field in fields where unsafe bytes.extracting(field.name).spells(ignoringCaseOf: lowercase) {
                found = isPresent ? nil : field.value
                isPresent = true
            }
        }
        return (isPresent, found)
    }

    private func matches(_ name: String, _ field: Field) -> Bool {
        guard field.name.count == name.utf8.count else { return false }
        return zip(bytes[field.name], name.utf8).allSatisfy { $0.lowercased == $1.lowercased }
    }

    private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
}

extension RequestHeaders: Sequence {
    public func makeIterator() -> AnyIterator<(name: String, value: String)> {
        var rest = fields.makeIterator()
        return AnyIterator { rest.next().map { (self.text($0.name), self.text($0.value)) } }
    }
}
