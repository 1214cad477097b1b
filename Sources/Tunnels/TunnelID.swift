/// A tunnel's identity for life: a version 7 UUID (RFC 9562), so that ids sort by time of creation.
public struct TunnelID: Hashable, Sendable {
    /// The 48 bits of the time in milliseconds, the version, and a counter of 12 bits.
    private let high: UInt64
    /// The variant and 62 random bits.
    private let low: UInt64

    private init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    public init(at time: Timestamp, using generator: inout some RandomNumberGenerator) {
        high = UInt64(truncatingIfNeeded: time.milliseconds) << 16 | 0x7000
        low = generator.next() >> 2 | 0x8000_0000_0000_0000
    }

    /// The next id of the same millisecond: of those made together each sorts after the one before (RFC 9562,
    /// section 6.2, method 1).
    ///
    /// - Returns: nil where the counter is at its end.
    public var successor: TunnelID? {
        high & 0xFFF == 0xFFF ? nil : TunnelID(high: high + 1, low: low)
    }

    /// Takes the canonical form alone: lower-case hexadecimal, 8-4-4-4-12.
    public init?(_ text: some StringProtocol) {
        self.init(canonical: String(text))
    }

    private init?(canonical text: String) {
        guard text.utf8.count == 36 else { return nil }
        var (high, low, position) = (UInt64(0), UInt64(0), 0)
        for byte in text.utf8 {
            let isHyphen = byte == UInt8(ascii: "-")
            guard isHyphen == Self.isHyphen(at: position) else { return nil }
            if !isHyphen {
                guard let digit = Self.value(of: byte) else { return nil }
                high = high << 4 | low >> 60
                low = low << 4 | digit
            }
            position += 1
        }
        self.init(high: high, low: low)
    }

    /// 36 bytes, lower case.
    public var text: String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(36)
        for half in [high, low] {
            for shift in stride(from: 60, through: 0, by: -4) {
                if Self.isHyphen(at: bytes.count) { bytes.append(UInt8(ascii: "-")) }
                let digit = UInt8(truncatingIfNeeded: half >> UInt64(shift) & 0xF)
                bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func isHyphen(at position: Int) -> Bool {
        position == 8 || position == 13 || position == 18 || position == 23
    }

    private static func value(of digit: UInt8) -> UInt64? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(digit - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(digit - UInt8(ascii: "a") + 10)
        default: nil
        }
    }
}

extension TunnelID: Comparable {
    /// As their texts do.
    public static func < (left: Self, right: Self) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

extension TunnelID: CustomStringConvertible {
    public var description: String { text }
}
