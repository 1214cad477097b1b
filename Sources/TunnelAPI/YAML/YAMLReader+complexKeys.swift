extension YAMLReader {
    /// A mapping's or a list's text takes long to compare as a key, and such keys may be nested hundreds of levels deep:
    /// so they are refused before anything is made of them, wherever they seem to stand. A key is such a one after a
    /// question mark, or before a colon if a bracket ends it.
    static func refuseComplexKeys(in bytes: [UInt8]) throws(YAMLError) {
        var line = 1
        // The byte before, and the one before that isn't blank; nil at the beginning.
        var before: UInt8?
        var visible: UInt8?
        for (position, byte) in bytes.enumerated() {
            let isKey =
                switch byte {
                case UInt8(ascii: "?"):
                    Self.beginsFlow(visible)
                        || Self.isBlank(before) && Self.isBlank(position + 1 < bytes.count ? bytes[position + 1] : nil)
                case UInt8(ascii: ":"): visible == UInt8(ascii: "]") || visible == UInt8(ascii: "}")
                default: false
                }
            if isKey {
                throw YAMLError(
                    line: line, column: 1,
                    detail: "a key is a plain text; have no '? ', ']:' or '}:' in texts and comments either")
            }
            if byte == UInt8(ascii: "\n") { line += 1 }
            before = byte
            if !isBlank(byte) { visible = byte }
        }
    }

    /// Line ends that only YAML knows aren't ASCII.
    private static func isBlank(_ byte: UInt8?) -> Bool {
        byte.map { $0 <= UInt8(ascii: " ") || $0 >= 0x80 } ?? true
    }

    private static func beginsFlow(_ byte: UInt8?) -> Bool {
        guard let byte else { return true }
        return [UInt8(ascii: "["), UInt8(ascii: "{"), UInt8(ascii: ","), UInt8(ascii: "?")].contains(byte)
    }
}
