/// A tunnel's identity for life: a version 7 UUID (RFC 9562), so that ids sort by time of creation.
public struct TunnelID: Hashable, Sendable {
    /// 36 bytes, lower case.
    public let text: String

    public init(at time: Timestamp, using generator: inout some RandomNumberGenerator) {
        let random = (UInt64.random(in: .min ... .max, using: &generator), generator.next() as UInt64)
        let high = UInt64(truncatingIfNeeded: time.milliseconds) << 16 | 0x7000 | random.0 & 0xFFF
        let low = random.1 & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        let digits = Self.hexadecimal(high) + Self.hexadecimal(low)
        var text = ""
        for (position, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(position) { text.append("-") }
            text.append(digit)
        }
        self.text = text
    }

    /// Takes the canonical form alone: lower-case hexadecimal, 8-4-4-4-12.
    public init?(_ text: some StringProtocol) {
        let bytes = text.utf8
        guard bytes.count == 36 else { return nil }
        for (position, byte) in bytes.enumerated() {
            switch byte {
            case UInt8(ascii: "-"):
                guard [8, 13, 18, 23].contains(position) else { return nil }
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"):
                guard ![8, 13, 18, 23].contains(position) else { return nil }
            default:
                return nil
            }
        }
        self.text = String(text)
    }

    private static func hexadecimal(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

extension TunnelID: CustomStringConvertible {
    public var description: String { text }
}
