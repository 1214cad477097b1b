internal import FoundationEssentials
public import Tunnels

/// One difference that somebody else made, and how it ended: a row of the ledger.
public struct DriftRecord: Hashable, Sendable {
    public enum Outcome: String, Sendable, CaseIterable {
        /// The kernel was brought back to the definition.
        case repaired
        /// The definition took it.
        case adopted
        /// It went away without us.
        case withdrawn
        /// A write to the tunnel, or another drift in its place, ended it.
        case superseded
    }

    public struct End: Hashable, Sendable {
        public let outcome: Outcome
        public let at: Timestamp

        public init(_ outcome: Outcome, at: Timestamp) {
            self.outcome = outcome
            self.at = at
        }
    }

    /// nil until it is stored; larger than those of all rows before.
    public var id: Int64?
    public let tunnel: TunnelID
    /// The definition's field, or what of the link it was: `link`, `programs`.
    public let field: String
    public let desired: String
    public let observed: String
    public let foundAt: Timestamp
    /// Who did it; nil where the kernel didn't tell.
    public let author: ChangeAuthor?
    /// nil while the difference is there.
    public var end: End?

    public init(
        id: Int64? = nil, tunnel: TunnelID, field: String, desired: String, observed: String, foundAt: Timestamp,
        author: ChangeAuthor?, end: End? = nil
    ) {
        self.id = id
        self.tunnel = tunnel
        self.field = field
        self.desired = desired
        self.observed = observed
        self.foundAt = foundAt
        self.author = author
        self.end = end
    }
}

extension Event {
    /// The detail of an event about drift: `{"differences": [{"desired", "field", "observed", "pid", "program"}]}`.
    public static func detail(_ records: [DriftRecord]) -> String? {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(DriftDetail(differences: records.map { DriftDetail.Entry(record: $0) })))
            .map { String(decoding: $0, as: UTF8.self) }
    }
}

private struct DriftDetail: Encodable {
    struct Entry: Encodable {
        enum Key: CodingKey {
            case field, desired, observed, pid, program
        }

        let record: DriftRecord

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(record.field, forKey: .field)
            try container.encode(record.desired, forKey: .desired)
            try container.encode(record.observed, forKey: .observed)
            // null, not left out, where it isn't known.
            try container.encode(record.author?.pid, forKey: .pid)
            try container.encode(record.author?.program, forKey: .program)
        }
    }

    let differences: [Entry]
}
