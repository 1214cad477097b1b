internal import CMnl

/// A conversation with the kernel about links, addresses, routes and statistics (rtnetlink).
///
/// It belongs to one thread or actor at a time, and to the network namespace of the thread that opened it. Its
/// buffers are allocated once.
public final class NetlinkSocket {
    /// How long the kernel may leave an answer outstanding. It answers before `sendto` returns; this is only so
    /// that a bug can't hang the caller.
    static let patience: Int32 = 10_000
    /// A dump is answered in datagrams of up to 32 KiB, if the reader has room for them (`netlink_dump`).
    static let dumpSlot = 32 << 10
    static let usualDumpSlots = 4
    /// Other answers are short, and come one by one.
    static let answerSlots = 16

    private let transport: Transport
    let counters: NetlinkCounters
    private var sequence: UInt32 = 0
    private var sendBuffer: [UInt8] = []
    private var buffer: ReceiveBuffer
    /// Set while answers are outstanding: a dump's closure must not ask for more, whose answers would come after.
    private var isBusy = false

    /// - Parameters:
    ///   - counters: count what it does.
    ///   - dumpsOften: whether it dumps again and again. Then it reads 40 datagrams in one system call, not 4, which is
    ///     quicker and takes up to 1.25 MiB.
    /// - Throws: `EPERM`, `EMFILE` and the like.
    public convenience init(
        counters: NetlinkCounters = NetlinkCounters(), dumpsOften: Bool = false
    ) throws(NetlinkError) {
        try self.init(
            receiveBuffer: 32 << 20, counters: counters,
            dumpSlots: dumpsOften ? ReceiveBuffer.mostSlots : Self.usualDumpSlots)
    }

    init(
        receiveBuffer: Int32, counters: NetlinkCounters = NetlinkCounters(), dumpSlots: Int = usualDumpSlots
    ) throws(NetlinkError) {
        transport = .kernel(try KernelSocket(receiveBuffer: receiveBuffer))
        buffer = ReceiveBuffer(size: dumpSlots * Self.dumpSlot)
        self.counters = counters
    }

    /// The seam for tests: a function from what was sent to the datagrams that come back.
    init(answering answer: @escaping ([UInt8]) -> [[UInt8]]) {
        transport = .script(Script(answer))
        buffer = ReceiveBuffer(size: Self.usualDumpSlots * Self.dumpSlot)
        counters = NetlinkCounters()
    }

    /// Our address, by which `LinkMonitor` tells our own changes from those of others.
    public var portID: UInt32 { transport.portID }

    // MARK: - What execute and dump are made of

    /// Runs `body` unless a dump is under way.
    @inline(__always)
    func exclusively<Result>(
        _ operation: String, _ body: () throws(NetlinkError) -> Result
    ) throws(NetlinkError) -> Result {
        guard !isBusy else {
            throw NetlinkError(
                operation: operation, code: .busy, reason: "asked from within the closure of a dump")
        }
        isBusy = true
        defer { isBusy = false }
        return try body()
    }

    /// Sends messages back to back and answers the first one's sequence number; the others' follow it.
    func send(_ requests: some Collection<Request>, flags: Int32) throws(SystemCallError) -> UInt32 {
        let first = sequence &+ 1
        sendBuffer.removeAll(keepingCapacity: true)
        for request in requests {
            sequence &+= 1
            request.append(to: &sendBuffer, sequence: sequence, flags: flags)
        }
        try transport.send(sendBuffer)
        counters.add(messages: requests.count)
        return first
    }

    /// Receives what waits, many datagrams in one system call, and shows each to `body`; false when none is there and
    /// none was to be waited for.
    ///
    /// - Parameter slots: how many, each of which may take that part of the buffer.
    @inline(__always)
    func receive(
        wait: Bool, slots: Int, _ body: (RawSpan) throws(Malformed) -> Void
    ) throws(ReceiveError) -> Bool {
        do {
            guard try transport.receive(into: &buffer, slots: slots, wait: wait) else { return false }
        } catch {
            throw .system(error)
        }
        // A local name for it, so that the property isn't under access while the closure runs.
        let received = buffer
        try received.forEachDatagram { (datagram, isWhole) throws(ReceiveError) in
            guard isWhole else { throw .cut }
            do throws(Malformed) { try body(datagram) } catch { throw .malformed(error) }
        }
        return true
    }

    /// How many datagrams of a dump the buffer takes.
    var dumpSlots: Int { buffer.size / Self.dumpSlot }

    /// Throws away what waits, also what is larger than a slot.
    func discardWaiting() {
        while (try? transport.receive(into: &buffer, slots: 1, wait: false)) == true {}
    }

    /// How many messages, from the given one on, one send may hold.
    func batch(of requests: ArraySlice<Request>) -> ArraySlice<Request> {
        var size = 0
        var cost = 0
        let end = requests.firstIndex { request in
            size += request.size
            cost += request.answerCost
            return size > transport.sendLimit || cost > transport.answerLimit
        }
        // One alone is always tried; the kernel then says that it is too long.
        guard let end else { return requests }
        return requests[requests.startIndex..<max(end, requests.startIndex + 1)]
    }
}

enum ReceiveError: Error {
    case system(SystemCallError)
    case malformed(Malformed)

    /// A datagram was larger than its slot.
    static var cut: ReceiveError { .system(SystemCallError(errno: ENOSPC)) }

    var isCut: Bool { if case .system(let error) = self { error.errno == ENOSPC } else { false } }

    func failure(of operation: String) -> NetlinkError {
        switch self {
        case .malformed(let malformed): return NetlinkError(operation: operation, malformed: malformed)
        case .system(let error):
            let reason = error.errno == ENOSPC ? "an answer larger than the receive buffer" : nil
            return NetlinkError(operation: operation, code: .init(rawValue: error.errno), reason: reason)
        }
    }
}
