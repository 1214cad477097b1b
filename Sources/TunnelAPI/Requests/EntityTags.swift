/// The value of `If-Match` or `If-None-Match` (RFC 9110, sections 13.1.1 and 13.1.2).
enum EntityTags: Equatable {
    case any
    case list([Tag])

    struct Tag: Equatable {
        var isWeak: Bool
        /// Without its quotes.
        var text: String

        /// The revision that it stands for; nil for a tag that was never ours.
        var revision: Int64? {
            guard let revision = Int64(text), revision >= 0, String(revision) == text else { return nil }
            return revision
        }
    }

    /// - Parameter values: of each such header, in order.
    /// - Returns: nil where it isn't well formed.
    init?(_ values: [String]) {
        let text = values.joined(separator: ",")
        if text == "*" {
            self = .any
            return
        }
        var tags: [Tag] = []
        var rest = text.utf8[...]
        while true {
            rest = rest.drop { $0 == 0x20 || $0 == 0x09 || $0 == UInt8(ascii: ",") }
            guard !rest.isEmpty else { break }
            let isWeak = rest.starts(with: "W/".utf8)
            if isWeak { rest = rest.dropFirst(2) }
            guard rest.first == UInt8(ascii: "\"") else { return nil }
            let opaque = rest.dropFirst().prefix { $0 != UInt8(ascii: "\"") }
            guard opaque.endIndex < rest.endIndex, opaque.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
                return nil
            }
            tags.append(Tag(isWeak: isWeak, text: String(Substring(opaque))))
            rest = rest[opaque.endIndex...].dropFirst().drop { $0 == 0x20 || $0 == 0x09 }
            guard rest.isEmpty || rest.first == UInt8(ascii: ",") else { return nil }
        }
        guard !tags.isEmpty else { return nil }
        self = .list(tags)
    }

    /// Revisions for the strong comparison, which a weak tag never passes.
    var strongRevisions: [Int64] {
        guard case .list(let tags) = self else { return [] }
        return tags.filter { !$0.isWeak }.compactMap(\.revision)
    }

    /// The weak comparison, as `If-None-Match` asks for.
    func matchesWeakly(_ revision: Int64) -> Bool {
        switch self {
        case .any: true
        case .list(let tags): tags.contains { $0.revision == revision }
        }
    }
}
