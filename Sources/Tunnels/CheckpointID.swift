/// A checkpoint's identity: a version 7 UUID (RFC 9562), so that ids sort by time of creation.
public struct CheckpointID: Hashable, Sendable, Comparable {
    private let uuid: TunnelID

    public init(at time: Timestamp, using generator: inout some RandomNumberGenerator) {
        uuid = TunnelID(at: time, using: &generator)
    }

    /// Takes the canonical form alone: lower-case hexadecimal, 8-4-4-4-12.
    public init?(_ text: some StringProtocol) {
        guard let uuid = TunnelID(text) else { return nil }
        self.uuid = uuid
    }

    /// 36 bytes, lower case.
    public var text: String { uuid.text }

    public static func < (left: Self, right: Self) -> Bool { left.uuid < right.uuid }
}

extension CheckpointID: CustomStringConvertible {
    public var description: String { text }
}
