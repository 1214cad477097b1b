internal import CMnl

/// The counters of one link, as `RTM_GETSTATS` answers them: it names the link by its index only.
public struct LinkStatistics: Hashable, Sendable {
    public var index: UInt32
    public var counters: LinkCounters

    public init(index: UInt32, counters: LinkCounters) {
        self.index = index
        self.counters = counters
    }

    /// Reads the body of `RTM_NEWSTATS`.
    @inline(__always)
    init(_ body: RawSpan) throws(Malformed) {
        let header = try body.load(if_stats_msg.self)
        var counters: LinkCounters?
        try body.forEachAttribute(after: MemoryLayout<if_stats_msg>.size) {
            (type, value, _) throws(Malformed) in
            if type == IFLA_STATS_LINK_64 { counters = try LinkCounters(value) }
        }
        guard let counters else { throw Malformed("no counters", type: IFLA_STATS_LINK_64) }
        self.init(index: header.ifindex, counters: counters)
    }

    func body() -> MessageWriter {
        var writer = Self.request(index)
        counters.put(IFLA_STATS_LINK_64, into: &writer)
        return writer
    }

    /// Asks for the counters alone; index 0 is every link's.
    static func request(_ index: UInt32) -> MessageWriter {
        // IFLA_STATS_FILTER_BIT
        let mask = UInt32(1) << UInt32(IFLA_STATS_LINK_64 - 1)
        return MessageWriter(
            if_stats_msg(family: UInt8(AF_UNSPEC), pad1: 0, pad2: 0, ifindex: index, filter_mask: mask))
    }
}

extension Request {
    /// Answers with `.statistics` of one link, or `ENODEV` (`ip stats show dev`).
    public static func readStatistics(_ index: UInt32) -> Request {
        Request(
            "read the statistics of link number \(index)", type: RTM_GETSTATS, LinkStatistics.request(index))
    }
}

extension NetlinkSocket {
    /// Folds the counters of all links into a value: the cheapest way to read them.
    ///
    /// - Parameter initial: asked for again when the kernel says that the dump was inconsistent.
    public func statistics<Result>(
        into initial: @autoclosure () -> Result, _ body: (inout Result, LinkStatistics) -> Void
    ) throws(NetlinkError) -> Result {
        let request = Request(
            "read the statistics of all links", type: RTM_GETSTATS, flags: NLM_F_DUMP,
            LinkStatistics.request(0))
        return try dump(request, answer: RTM_NEWSTATS, into: initial()) { (result, payload) throws(Malformed) in
            body(&result, try LinkStatistics(payload))
        }
    }

    public func statistics() throws(NetlinkError) -> [LinkStatistics] {
        try statistics(into: []) { $0.append($1) }
    }
}
