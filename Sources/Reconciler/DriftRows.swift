internal import TunnelStore
internal import Tunnels

/// What a difference is of: of two with the same place, only one can be there at a time.
struct DriftPlace: Hashable {
    let field: String
    /// The address or route; empty for what a link has one of.
    let element: String

    init(field: String, desired: String, observed: String) {
        self.field = field
        element = ["addresses", "routes"].contains(field) ? (desired == "absent" ? observed : desired) : ""
    }
}

extension DriftRecord {
    var place: DriftPlace { DriftPlace(field: field, desired: desired, observed: observed) }

    func ended(_ outcome: Outcome, at time: Timestamp) -> DriftRecord {
        var record = self
        record.end = End(outcome, at: time)
        return record
    }
}

extension Difference {
    var place: DriftPlace { DriftPlace(field: summary.field, desired: summary.desired, observed: summary.observed) }
}

/// Rows of the ledger that wait to be written.
struct UnwrittenDrift {
    /// Tunnels that have open rows without an id.
    var opened: Set<TunnelID> = []
    var closed: [DriftRecord] = []

    var isEmpty: Bool { opened.isEmpty && closed.isEmpty }

    /// What waits at most while the database takes nothing.
    private static let limit = 10_000

    /// Keeps for the next try what couldn't be written.
    mutating func putBack(_ former: UnwrittenDrift) {
        opened.formUnion(former.opened)
        closed = Array((former.closed + closed).suffix(Self.limit))
    }
}
