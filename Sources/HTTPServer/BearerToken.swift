internal import CMicroHTTPD

/// A SHA-256 digest (FIPS 180-4). Compared in constant time: how long it takes says nothing of where two
/// digests differ.
public struct SHA256Digest: Sendable, Hashable {
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    public static let byteCount = 32

    /// Of a text's UTF-8.
    public init(of text: String) {
        self.init(of: Array(text.utf8))
    }

    public init(of bytes: [UInt8]) {
        self = unsafe bytes.withUnsafeBufferPointer { unsafe Self(of: $0) }
    }

    init(of bytes: UnsafeBufferPointer<UInt8>) {
        var context = sha256_ctx()
        unsafe nettle_sha256_init(&context)
        unsafe nettle_sha256_update(&context, bytes.count, bytes.baseAddress)
        unsafe withUnsafeMutableBytes(of: &words) { target in
            unsafe nettle_sha256_digest(
                &context, Self.byteCount, target.baseAddress?.assumingMemoryBound(to: UInt8.self))
        }
    }

    /// A stored digest; nil unless it has 32 bytes.
    public init?(bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        unsafe withUnsafeMutableBytes(of: &words) { unsafe $0.copyBytes(from: bytes) }
    }

    public var bytes: [UInt8] { unsafe withUnsafeBytes(of: words) { unsafe Array($0) } }

    public static func == (left: Self, right: Self) -> Bool {
        let difference =
            (left.words.0 ^ right.words.0) | (left.words.1 ^ right.words.1)
            | (left.words.2 ^ right.words.2) | (left.words.3 ^ right.words.3)
        return difference == 0
    }

    /// A digest's bits are as good as random: the first word is enough.
    public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

/// `Authorization: Bearer …` (RFC 6750, section 2.1).
public enum BearerToken: Sendable, Equatable {
    /// There is no `Authorization`.
    case absent
    /// There is one, but it isn't one well-formed bearer token.
    case malformed
    case digest(SHA256Digest)

    /// Hashes the token where it lies in the request's bytes; no copy of it is made.
    init(credentials: UnsafeBufferPointer<UInt8>) {
        self = unsafe Self.digest(ofCredentials: credentials) ?? .malformed
    }

    /// A new token: the prefix and 256 random bits as base64url (RFC 4648, section 5) without padding.
    public static func random(prefix: String) -> String {
        var generator = SystemRandomNumberGenerator()
        return prefix + Base64URL.encode((0..<32).map { _ in generator.next() })
    }

    /// `Bearer`, in any case, exactly one space, and a `b64token`.
    private static func digest(ofCredentials value: UnsafeBufferPointer<UInt8>) -> BearerToken? {
        let scheme: StaticString = "bearer "
        let start = scheme.utf8CodeUnitCount
        guard value.count > start, unsafe value.extracting(..<start).spells(ignoringCaseOf: scheme) else {
            return nil
        }
        let token = value.extracting(start...)
        let end = unsafe token.firstIndex { !$0.isTokenByte } ?? token.count
        guard end > 0, unsafe token[end...].allSatisfy({ $0 == 0x3D }) else { return nil }
        return .digest(unsafe SHA256Digest(of: token))
    }
}

extension UInt8 {
    /// The characters of a `b64token` before its padding.
    fileprivate var isTokenByte: Bool {
        switch self {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E, 0x2B, 0x2F: true
        default: false
        }
    }
}
