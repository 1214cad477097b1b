/// The request's target (RFC 9112, section 3.2), split before it is decoded.
public struct Target: Sendable, Equatable {
    public struct QueryItem: Sendable, Equatable {
        public let name: String
        public let value: String
    }

    let sent: [UInt8]
    /// In origin form.
    private let bytes: [UInt8]
    private let pathEnd: Int

    /// The path as it was sent, still percent-encoded. An absolute-form target has lost scheme and authority.
    public var rawPath: String { String(decoding: bytes[..<pathEnd], as: UTF8.self) }
    /// What follows the first `?` as it was sent; nil without one.
    public var rawQuery: String? {
        pathEnd < bytes.count ? String(decoding: bytes[(pathEnd + 1)...], as: UTF8.self) : nil
    }
    /// The path's segments, each percent-decoded once: `/a%2Fb/c` is `["a/b", "c"]`, `/a/` is `["a", ""]`.
    public let segments: [String]
    /// The query's items, decoded as `application/x-www-form-urlencoded`: `+` is a space.
    public let query: [QueryItem]

    /// The first item of that name.
    public func query(_ name: String) -> String? { query.first { $0.name == name }?.value }

    init(_ target: [UInt8], method: Method) throws(HTTPError) {
        for byte in target where byte <= 0x20 || byte >= 0x7F || byte == 0x23 {
            throw .badRequest("The target holds a character that must be percent-encoded.")
        }
        sent = target
        bytes = try Self.originForm(target, method: method)
        pathEnd = bytes.firstIndex(of: 0x3F) ?? bytes.count
        segments = try Self.segments(of: bytes, until: pathEnd)
        query = pathEnd < bytes.count ? try Self.items(of: bytes[(pathEnd + 1)...]) : []
    }

    /// Takes scheme and authority off an absolute-form target, which a server must accept (RFC 9112, 3.2.2).
    private static func originForm(_ target: [UInt8], method: Method) throws(HTTPError) -> [UInt8] {
        if target.first == 0x2F || (method == .options && target == [0x2A]) { return target }
        let scheme = "http://"
        guard target.prefix(scheme.utf8.count).lazy.map(\.lowercased).elementsEqual(scheme.utf8) else {
            throw .badRequest("The target must begin with a slash.")
        }
        let rest = target.dropFirst(scheme.utf8.count)
        let end = rest.firstIndex { $0 == 0x2F || $0 == 0x3F } ?? rest.endIndex
        guard end > rest.startIndex else { throw .badRequest("The target names no host.") }
        return rest[end...].first == 0x2F ? Array(rest[end...]) : [0x2F] + rest[end...]
    }

    private static func segments(of bytes: [UInt8], until end: Int) throws(HTTPError) -> [String] {
        var segments: [String] = []
        segments.reserveCapacity(4)
        var start = 1
        for position in 1..<end where bytes[position] == 0x2F {
            segments.append(try decoded(bytes[start..<position], plusIsSpace: false))
            start = position + 1
        }
        segments.append(try decoded(bytes[start..<end], plusIsSpace: false))
        return segments
    }

    private static func items(of query: ArraySlice<UInt8>) throws(HTTPError) -> [QueryItem] {
        var items: [QueryItem] = []
        for pair in query.split(separator: 0x26) {
            let equals = pair.firstIndex(of: 0x3D) ?? pair.endIndex
            items.append(
                QueryItem(
                    name: try decoded(pair[..<equals], plusIsSpace: true),
                    value: try decoded(pair[equals...].dropFirst(), plusIsSpace: true)))
        }
        return items
    }

    /// Decodes `%HH` once and requires UTF-8; overlong forms and surrogates are not UTF-8.
    private static func decoded(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool) throws(HTTPError) -> String {
        guard bytes.contains(where: { $0 == 0x25 || (plusIsSpace && $0 == 0x2B) }) else {
            return String(decoding: bytes, as: UTF8.self)
        }
        var plain: [UInt8] = []
        plain.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            if byte != 0x25 {
                plain.append(plusIsSpace && byte == 0x2B ? 0x20 : byte)
                index += 1
                continue
            }
            guard index + 2 < bytes.endIndex, let high = bytes[index + 1].hexadecimalValue,
                let low = bytes[index + 2].hexadecimalValue
            else {
                throw .badRequest("A percent sign in the target must be followed by two hexadecimal digits.")
            }
            plain.append(high << 4 | low)
            index += 3
        }
        guard let text = String(validating: plain, as: UTF8.self) else {
            throw .badRequest("The target, once decoded, is not UTF-8.")
        }
        return text
    }
}
