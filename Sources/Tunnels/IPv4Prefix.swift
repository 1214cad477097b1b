/// A network: an address whose bits past `length` are zero, as a route's destination.
public struct IPv4Prefix: Hashable, Sendable {
    public let network: IPv4Address
    /// 0 to 32.
    public let length: Int

    /// The prefix of that length that holds `address`. A length outside 0 to 32 is brought into it.
    public init(containing address: IPv4Address, length: Int) {
        self.length = min(max(length, 0), 32)
        network = IPv4Address(bits: address.bits & Self.mask(self.length))
    }

    public func contains(_ address: IPv4Address) -> Bool {
        address.bits & Self.mask(length) == network.bits
    }

    /// The address with all host bits set. It means "everyone here" only in prefixes up to 30 (RFC 3021).
    public var broadcast: IPv4Address {
        IPv4Address(bits: network.bits | ~Self.mask(length))
    }

    private static func mask(_ length: Int) -> UInt32 {
        length == 0 ? 0 : ~0 << UInt32(32 - length)
    }
}

extension IPv4Prefix: CustomStringConvertible {
    public var description: String { "\(network)/\(length)" }
}

extension IPv4Prefix {
    /// Why a text isn't a prefix.
    public enum ParseError: Error, Hashable {
        case notAPrefix
        /// The host bits aren't zero; the kernel would refuse it. Carries what was probably meant.
        case hostBits(IPv4Prefix)
    }

    /// Reads `10.20.0.0/16`. A bare address is a /32, as in `ip route`.
    public init(parsing text: String) throws(ParseError) {
        guard let (address, length) = splitPrefix(text) else { throw .notAPrefix }
        let prefix = IPv4Prefix(containing: address, length: length ?? 32)
        guard prefix.network == address else { throw .hostBits(prefix) }
        self = prefix
    }
}

/// The address and the length of `a.b.c.d` or `a.b.c.d/n`; nil for anything else.
func splitPrefix(_ text: some StringProtocol) -> (IPv4Address, length: Int?)? {
    guard let slash = text.utf8.firstIndex(of: UInt8(ascii: "/")) else {
        return IPv4Address(text).map { ($0, nil) }
    }
    guard let address = IPv4Address(text[..<slash]) else { return nil }
    let digits = text.utf8[slash...].dropFirst()
    guard (1...2).contains(digits.count), digits.allSatisfy({ (48...57).contains($0) }),
        digits.count == 1 || digits.first != 48
    else { return nil }
    let length = digits.reduce(0) { $0 * 10 + Int($1 - 48) }
    return length <= 32 ? (address, length) : nil
}
