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

    /// Calls `body` with the value's bytes, or returns nil when there is not exactly one field of that name.
    func withOnly<Result>(_ name: String, _ body: (ArraySlice<UInt8>) -> Result?) -> Result? {
        guard let index = firstIndex(of: name),
            !fields[(index + 1)...].indices.contains(where: { matches(name, at: $0) })
        else { return nil }
        return body(bytes[fields[index].value])
    }

    func firstIndex(of name: String) -> Int? { fields.indices.first { matches(name, at: $0) } }

    private func matches(_ name: String, at index: Int) -> Bool {
        let range = fields[index].name
        guard range.count == name.utf8.count else { return false }
        var position = range.lowerBound
        for byte in name.utf8 {
            if bytes[position].lowercased != byte.lowercased { return false }
            position += 1
        }
        return true
    }

    private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
}

extension RequestHeaders: Sequence {
    public func makeIterator() -> AnyIterator<(name: String, value: String)> {
        var rest = fields.makeIterator()
        return AnyIterator { rest.next().map { (text($0.name), text($0.value)) } }
    }
}
