/// The counters of many links, found by ifindex.
///
/// A dictionary would spend more on such a small key than the kernel on the counters: its hash function withstands
/// chosen keys, and ifindexes are the kernel's or ours.
public struct CounterTable: Sendable {
    /// What the errors and drops of a link were, where the data plane can tell and there were any.
    public var reasons: [Int32: [DropReason: UInt64]] = [:]

    private var ifindexes: [Int32] = []
    private var counters: [LinkCounters] = []
    private var capacity: Int
    private var positions: PositionTable

    /// - Parameter capacity: how many links there will be, about.
    public init(capacity: Int = 0) {
        self.capacity = max(capacity, 16)
        positions = PositionTable(capacity: self.capacity)
        ifindexes.reserveCapacity(capacity)
        counters.reserveCapacity(capacity)
    }

    public var count: Int { ifindexes.count }

    /// Adds a link. Of two with one ifindex the first is found.
    public mutating func append(_ counters: LinkCounters, of ifindex: Int32) {
        if count == capacity { grow() }
        positions.insert(count, hash: Int(ifindex))
        ifindexes.append(ifindex)
        self.counters.append(counters)
    }

    public subscript(ifindex: Int32) -> LinkCounters? {
        positions.position(hash: Int(ifindex)) { ifindexes[$0] == ifindex }.map { counters[$0] }
    }

    private mutating func grow() {
        capacity *= 2
        positions = PositionTable(capacity: capacity)
        for (position, ifindex) in ifindexes.enumerated() { positions.insert(position, hash: Int(ifindex)) }
    }
}
