/// The value of an `Accept` header: which media types a client takes, and how gladly (RFC 9110, section 12.5.1).
struct MediaRanges {
    struct Range {
        /// In lower case, `*` for any.
        var type: Substring
        var subtype: Substring
        /// In lower case; without `q`.
        var parameters: [(name: String, value: String)] = []
        var quality = 1.0
    }

    private let ranges: [Range]

    /// - Parameter values: of each such header. What isn't a media range is passed over.
    init(_ values: [String]) {
        ranges = values.flatMap { $0.lowercased().split(unquoted: ",") }.compactMap { Range($0) }
    }

    /// Whether the client says anything.
    var isEmpty: Bool { ranges.isEmpty }

    /// How gladly the client takes a type, 0 for not at all, by the range that names it most closely; how closely: 3
    /// with its version, 2 by its name, 1 by its type, 0 by `*/*`.
    ///
    /// - Parameter version: parameters of other names are of no matter.
    func quality(of type: String, _ subtype: String, version: String) -> (value: Double, closeness: Int) {
        var best = (value: 0.0, closeness: -1)
        for range in ranges {
            guard let closeness = range.closeness(to: type, subtype, version: version) else { continue }
            if closeness > best.closeness { best = (range.quality, closeness) }
        }
        return best
    }
}

extension MediaRanges.Range {
    fileprivate init?(_ text: Substring) {
        let parts = text.split(unquoted: ";").map(\.trimmed)
        guard let name = parts.first, let slash = name.firstIndex(of: "/") else { return nil }
        self.init(type: name[..<slash], subtype: name[name.index(after: slash)...])
        guard !type.isEmpty, !subtype.isEmpty, type != "*" || subtype == "*" else { return nil }
        for part in parts.dropFirst() {
            guard let equals = part.firstIndex(of: "=") else { continue }
            let parameter = String(part[..<equals].trimmed)
            let value = part[part.index(after: equals)...].trimmed.unquoted
            if parameter == "q" {
                guard let quality = Double(value), (0...1).contains(quality) else { return nil }
                self.quality = quality
            } else {
                parameters.append((parameter, value))
            }
        }
    }

    /// nil where it doesn't match.
    fileprivate func closeness(to type: String, _ subtype: String, version: String) -> Int? {
        if self.type == "*" { return 0 }
        guard self.type == type else { return nil }
        if self.subtype == "*" { return 1 }
        guard self.subtype == subtype else { return nil }
        guard let wanted = parameters.first(where: { $0.name == "version" }) else { return 2 }
        return wanted.value == version ? 3 : nil
    }
}

extension StringProtocol where SubSequence == Substring {
    /// Pieces between separators that aren't inside quotes.
    fileprivate func split(unquoted separator: Character) -> [Substring] {
        var isQuoted = false
        return split { character in
            if character == "\"" { isQuoted.toggle() }
            return character == separator && !isQuoted
        }
    }
}

extension Substring {
    fileprivate var unquoted: String {
        count >= 2 && first == "\"" && last == "\"" ? String(dropFirst().dropLast()) : String(self)
    }
}
