/// An IPv4 address; the bits are kept in host order.
public struct IPv4Address: Hashable, Sendable, Comparable {
    public let bits: UInt32

    public init(bits: UInt32) {
        self.bits = bits
    }

    public init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) {
        bits = UInt32(a) << 24 | UInt32(b) << 16 | UInt32(c) << 8 | UInt32(d)
    }

    /// Reads strict dotted decimal as `inet_pton(3)` does: four parts, no leading zeros.
    public init?(_ text: some StringProtocol) {
        var bits: UInt32 = 0
        var octet: UInt32 = 0
        var digits = 0
        var dots = 0
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                guard digits == 0 || octet != 0 else { return nil }
                octet = octet * 10 + UInt32(byte - UInt8(ascii: "0"))
                digits += 1
                guard octet <= 255 else { return nil }
            case UInt8(ascii: "."):
                guard digits > 0, dots < 3 else { return nil }
                bits = bits << 8 | octet
                (octet, digits, dots) = (0, 0, dots + 1)
            default:
                return nil
            }
        }
        guard dots == 3, digits > 0 else { return nil }
        self.bits = bits << 8 | octet
    }

    public static func < (left: Self, right: Self) -> Bool {
        left.bits < right.bits
    }

    /// `0.0.0.0/8`, "this network" (RFC 6890).
    public var isThisNetwork: Bool { bits >> 24 == 0 }
    /// `127.0.0.0/8` (RFC 1122).
    public var isLoopback: Bool { bits >> 24 == 127 }
    /// `224.0.0.0/4` (RFC 5771).
    public var isMulticast: Bool { bits >> 28 == 0xE }
    /// `240.0.0.0/4`, the limited broadcast address 255.255.255.255 among them (RFC 1112).
    public var isReserved: Bool { bits >> 28 == 0xF }
}

extension IPv4Address: CustomStringConvertible {
    public var description: String {
        "\(bits >> 24).\(bits >> 16 & 255).\(bits >> 8 & 255).\(bits & 255)"
    }
}
