internal import CMicroHTTPD

/// Comparing and scanning bytes where they lie, without making strings of them.
extension UnsafeBufferPointer<UInt8> {
    /// The bytes of a C string, without its end.
    init(cString: UnsafePointer<CChar>) {
        let start = unsafe UnsafeRawPointer(cString).assumingMemoryBound(to: UInt8.self)
        unsafe self.init(start: start, count: strlen(cString))
    }

    init(start: UnsafePointer<CChar>, length: Int) {
        unsafe self.init(
            start: UnsafeRawPointer(start).assumingMemoryBound(to: UInt8.self), count: length)
    }

    /// Whether the bytes are the same, found out in a time that says nothing of where they differ.
    func isSame(as other: Self) -> Bool {
        guard count == other.count else { return false }
        var difference: UInt8 = 0
        for index in 0..<count { unsafe difference |= self[index] ^ other[index] }
        return difference == 0
    }

    func spells(_ text: StaticString) -> Bool {
        guard let baseAddress = baseAddress, count == text.utf8CodeUnitCount else { return false }
        return unsafe memcmp(baseAddress, text.utf8Start, count) == 0
    }

    /// `lowercase` must be in lower case. Only ASCII letters are folded.
    func spells(ignoringCaseOf lowercase: StaticString) -> Bool {
        guard count == lowercase.utf8CodeUnitCount else { return false }
        let text = unsafe lowercase.utf8Start
        for index in 0..<count where unsafe self[index].lowercased != text[index] { return false }
        return true
    }
}

extension UInt8 {
    var lowercased: UInt8 { self >= 0x41 && self <= 0x5A ? self | 0x20 : self }

    var isDigit: Bool { self >= 0x30 && self <= 0x39 }

    /// `tchar` of RFC 9110, section 5.6.2.
    var isTokenCharacter: Bool {
        // One bit for each ASCII character: !#$%&'*+-. digits | letters ^_`|~
        let low: UInt64 = 0x03FF_6CFA_0000_0000
        let high: UInt64 = 0x57FF_FFFF_C7FF_FFFE
        if self < 64 { return (low >> UInt64(self)) & 1 == 1 }
        return self < 128 && (high >> UInt64(self - 64)) & 1 == 1
    }

    /// What a field value may hold: `VCHAR`, `obs-text`, space and tab (RFC 9110, section 5.5).
    var isFieldValueCharacter: Bool { (self >= 0x20 && self != 0x7F) || self == 0x09 }

    var hexadecimalValue: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46: self - 0x41 + 10
        case 0x61...0x66: self - 0x61 + 10
        default: nil
        }
    }
}
