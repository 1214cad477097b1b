internal import Synchronization

/// What sockets sent and how it went, for metrics. Several sockets may share one.
public final class NetlinkCounters: Sendable {
    private let sent = Atomic<Int>(0)
    private let refused = Atomic<Int>(0)
    private let interrupted = Atomic<Int>(0)

    public init() {}

    /// Messages sent.
    public var messages: Int { sent.load(ordering: .relaxed) }
    /// Messages that were acknowledged with an error.
    public var refusals: Int { refused.load(ordering: .relaxed) }
    /// Dumps that were read again, because the list changed meanwhile.
    public var interruptedDumps: Int { interrupted.load(ordering: .relaxed) }

    func add(messages count: Int) { sent.wrappingAdd(count, ordering: .relaxed) }
    func add(refusals count: Int) { refused.wrappingAdd(count, ordering: .relaxed) }
    func addInterruptedDump() { interrupted.wrappingAdd(1, ordering: .relaxed) }
}
