/// An IPv4 address as a number in host order: `192.168.1.1` is `0xC0A8_0101`. Reader and writer turn it into
/// network order on the wire.
public struct IPv4: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) {
        rawValue = UInt32(a) << 24 | UInt32(b) << 16 | UInt32(c) << 8 | UInt32(d)
    }

    /// `0.0.0.0`, which the kernel takes for "none given".
    public static let any = IPv4(rawValue: 0)
}

extension IPv4: CustomStringConvertible {
    public var description: String {
        "\(rawValue >> 24).\(rawValue >> 16 & 255).\(rawValue >> 8 & 255).\(rawValue & 255)"
    }
}
