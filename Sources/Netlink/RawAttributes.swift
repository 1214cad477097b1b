/// Attributes that this module doesn't interpret, kept as they came so that they survive decode and encode.
public struct RawAttributes: Hashable, Sendable {
    /// Whole attributes back to back, each padded to the protocol's alignment.
    private(set) var bytes: [UInt8] = []

    public init() {}

    public var isEmpty: Bool { bytes.isEmpty }

    mutating func reserve(_ count: Int) {
        if bytes.isEmpty { bytes.reserveCapacity(count) }
    }

    /// Keeps an attribute, its header included.
    mutating func append(_ whole: RawSpan) {
        unsafe whole.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
        while bytes.count != Wire.aligned(bytes.count) { bytes.append(0) }
    }

    /// The types that are there, in order.
    var types: [Int] {
        var types: [Int] = []
        // Only whole attributes get in, so this can't fail.
        try? unsafe bytes.span.bytes.forEachAttribute { type, _, _ in types.append(type) }
        return types
    }
}
