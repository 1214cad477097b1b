/// The counters of many links, in the order in which they were read.
public struct CounterTable: Sendable {
    /// What the errors and drops of a link were, where the data plane can tell and there were any.
    public var reasons: [Int32: [DropReason: UInt64]] = [:]

    public private(set) var ifindexes: [Int32] = []
    /// Of each ifindex.
    public private(set) var counters: [LinkCounters] = []

    /// - Parameter capacity: how many links there will be, about.
    public init(capacity: Int = 0) {
        ifindexes.reserveCapacity(capacity)
        counters.reserveCapacity(capacity)
    }

    public var count: Int { ifindexes.count }

    public mutating func append(_ counters: LinkCounters, of ifindex: Int32) {
        ifindexes.append(ifindex)
        self.counters.append(counters)
    }

    /// Where each link is; nil where it isn't. Of two with one ifindex it is the first.
    public func positions(of wanted: [Int32]) -> [Int?] {
        let positions = Dictionary(zip(ifindexes, ifindexes.indices)) { first, _ in first }
        return wanted.map { positions[$0] }
    }
}
