/// A request's header fields: one copy of the section's bytes and where each field lies in it.
public struct RequestHeaders: Sendable {
    struct Field {
        var name: Range<Int>
        var value: Range<Int>
    }

    let bytes: [UInt8]
    let fields: [Field]

    public var count: Int { fields.count }

    /// The first value of that name, compared without case; nil without one.
    public subscript(name: String) -> String? {
        firstIndex(of: name).map { text(fields[$0].value) }
    }

    /// Every value of that name in the order of arrival.
    public func values(_ name: String) -> [String] {
        fields.indices.filter { matches(name, at: $0) }.map { text(fields[$0].value) }
    }

    /// Whether there is a field of that name, and where its value is if there is exactly one.
    func only(_ lowercase: StaticString) -> (isPresent: Bool, value: Range<Int>?) {
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

    private func firstIndex(of name: String) -> Int? { fields.indices.first { matches(name, at: $0) } }

    private func matches(_ name: String, at index: Int) -> Bool {
        let range = fields[index].name
        guard range.count == name.utf8.count else { return false }
        return zip(bytes[range], name.utf8).allSatisfy { $0.lowercased == $1.lowercased }
    }

    private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
}

extension RequestHeaders: Sequence {
    public func makeIterator() -> AnyIterator<(name: String, value: String)> {
        var rest = fields.makeIterator()
        return AnyIterator { rest.next().map { (text($0.name), text($0.value)) } }
    }
}
