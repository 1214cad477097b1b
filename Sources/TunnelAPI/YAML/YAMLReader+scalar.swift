internal import Yams

/// Plain scalars by YAML 1.2's core schema (section 10.3.2): `no` is a text, and no number is octal by a leading zero.
extension YAMLReader {
    static func plain(_ text: String, _ node: Node) throws(YAMLError) -> JSONValue {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default: break
        }
        guard let first = text.utf8.first, "+-.0123456789".utf8.contains(first) else { return .string(text) }
        if let value = try prefixed(text, node) { return value }
        return try decimal(text, node) ?? .string(text)
    }

    /// `0o17` and `0x1F`.
    private static func prefixed(_ text: String, _ node: Node) throws(YAMLError) -> JSONValue? {
        let radix =
            if text.hasPrefix("0o") { 8 } else if text.hasPrefix("0x") { 16 } else { 0 }
        let digits = text.dropFirst(2)
        guard radix > 0, !digits.isEmpty,
            digits.utf8.allSatisfy({ Character(Unicode.Scalar($0)).hexDigitValue.map { $0 < radix } ?? false })
        else { return nil }
        guard let number = Int64(digits, radix: radix) else { throw YAMLError(node, "this number is too large") }
        return .integer(number)
    }

    private static func decimal(_ text: String, _ node: Node) throws(YAMLError) -> JSONValue? {
        let unsigned = text.first == "+" || text.first == "-" ? text.dropFirst() : text[...]
        switch unsigned {
        case ".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN":
            throw YAMLError(node, "numbers here are finite; put a text in quotes")
        default: break
        }
        guard isNumber(unsigned) else { return nil }
        let digits = unsigned.utf8.prefix { (0x30...0x39).contains($0) }
        if digits.count > 1, digits.first == 0x30 {
            throw YAMLError(
                node, "a number with leading zeros is octal to some; leave them out, or put a text in quotes")
        }
        // JSON has the same numbers, but for these ways to write them.
        var plain = text.first == "+" ? String(unsigned) : text
        if unsigned.first == "." { plain = (text.first == "-" ? "-0" : "0") + unsigned }
        let parts = plain.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2, parts[1].utf8.first.map({ !(0x30...0x39).contains($0) }) ?? true {
            plain = parts[0] + String(parts[1])
        }
        do throws(JSONError) {
            return try JSONReader.read(Array(plain.utf8))
        } catch {
            throw YAMLError(node, error.detail)
        }
    }

    /// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
    private static func isNumber(_ text: Substring) -> Bool {
        var rest = text.utf8[...]
        func takeDigits() -> Int {
            let digits = rest.prefix { (0x30...0x39).contains($0) }.count
            rest = rest.dropFirst(digits)
            return digits
        }
        let whole = takeDigits()
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            let fraction = takeDigits()
            if whole == 0, fraction == 0 { return false }
        } else if whole == 0 {
            return false
        }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            rest = rest.dropFirst()
            if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
            if takeDigits() == 0 { return false }
        }
        return rest.isEmpty
    }

    // MARK: - Aliases

    /// Refuses a text in which an alias could refer to an anchor, before anything is made of it: a few lines of aliases
    /// of aliases stand for more than any memory holds, and a library compares keys whatever they are.
    ///
    /// What only looks so, in a comment or in quotes, is refused too: to tell them apart takes the whole grammar, and
    /// where that is got wrong a bomb comes through.
    static func refuseAliases(in bytes: [UInt8]) throws(YAMLError) {
        var anchors: Set<ArraySlice<UInt8>> = []
        var aliases: [(name: ArraySlice<UInt8>, line: Int)] = []
        var line = 1
        for (position, byte) in bytes.enumerated() {
            switch byte {
            case UInt8(ascii: "\n"): line += 1
            case UInt8(ascii: "&"): anchors.insert(name(in: bytes, after: position))
            case UInt8(ascii: "*"):
                let name = name(in: bytes, after: position)
                if !name.isEmpty { aliases.append((name, line)) }
            default: break
            }
        }
        if let alias = aliases.first(where: { anchors.contains($0.name) }) {
            let name = String(decoding: alias.name, as: UTF8.self)
            throw YAMLError(
                line: alias.line, column: 1,
                detail: "\(noAnchors), and don't have both &\(name) and *\(name) in texts and comments either")
        }
    }

    /// As far as libyaml takes it for an anchor's name.
    private static func name(in bytes: [UInt8], after position: Int) -> ArraySlice<UInt8> {
        bytes[(position + 1)...].prefix { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
    }
}
