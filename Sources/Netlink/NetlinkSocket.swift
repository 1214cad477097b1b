internal import CMnl

/// A conversation with the kernel about links, addresses, routes and statistics (rtnetlink).
///
/// It belongs to one thread or actor at a time, and to the network namespace of the thread that opened it. Its
/// buffers are allocated once.
public final class NetlinkSocket {
    /// How long the kernel may leave an answer outstanding. It answers before `sendto` returns; this is only so
    /// that a bug can't hang the caller.
    static let patience: Int32 = 10_000
    /// A dump is answered in datagrams of up to 32 KiB, and a link with many virtual functions may need more.
    static let datagramSize = 128 << 10

    private let transport: Transport
    let counters: NetlinkCounters
    private var sequence: UInt32 = 0
    private var sendBuffer: [UInt8] = []
    private var lengths: [UInt32] = []
    private var receiveBuffer = [UInt8](repeating: 0, count: NetlinkSocket.datagramSize)
    /// Set while answers are outstanding: a dump's closure must not ask for more, whose answers would come after.
    private var isBusy = false

    /// - Parameter counters: count what it does.
    /// - Throws: `EPERM`, `EMFILE` and the like.
    public convenience init(counters: NetlinkCounters = NetlinkCounters()) throws(NetlinkError) {
        try self.init(receiveBuffer: 32 << 20, counters: counters)
    }

    init(receiveBuffer: Int32, counters: NetlinkCounters = NetlinkCounters()) throws(NetlinkError) {
        transport = .kernel(try KernelSocket(receiveBuffer: receiveBuffer))
        self.counters = counters
    }

    /// The seam for tests: a function from what was sent to the datagrams that come back.
    init(answering answer: @escaping ([UInt8]) -> [[UInt8]]) {
        transport = .script(Script(answer))
        counters = NetlinkCounters()
    }

    /// Our address, by which `LinkMonitor` tells our own changes from those of others.
    public var portID: UInt32 { transport.portID }

    // MARK: - What execute and dump are made of

    /// Runs `body` unless a dump is under way.
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

    /// Receives one datagram and shows it to `body`; false when none is there and none was to be waited for.
    func receive(
        wait: Bool, _ body: (RawSpan) throws(Malformed) -> Void
    ) throws(ReceiveError) -> Bool {
        let count: Int?
        do {
            count = try transport.receive(into: &receiveBuffer, wait: wait)
        } catch {
            throw .system(error)
        }
        guard let count else { return false }
        // A local name for it, so that the property isn't under access while the closure runs.
        let buffer = receiveBuffer
        do {
            try unsafe body(buffer.span.bytes.extracting(0..<min(count, buffer.count)))
        } catch {
            throw .malformed(error)
        }
        return true
    }

    /// Receives what waits, several datagrams in one system call, and shows each to `body`; false when none is there
    /// and none was to be waited for. A dump's datagrams are too large for it.
    func receiveMany(
        wait: Bool, _ body: (RawSpan) throws(Malformed) -> Void
    ) throws(ReceiveError) -> Bool {
        do {
            guard try transport.receiveMany(into: &receiveBuffer, lengths: &lengths, wait: wait) else { return false }
        } catch {
            throw .system(error)
        }
        let (buffer, lengths) = (receiveBuffer, lengths)
        let slot = buffer.count / KernelSocket.slots
        for (position, length) in lengths.enumerated() {
            guard length <= slot else { throw .system(SystemCallError(errno: ENOSPC)) }
            let start = position * slot
            do throws(Malformed) {
                try unsafe body(buffer.span.bytes.extracting(start..<start + Int(length)))
            } catch {
                throw .malformed(error)
            }
        }
        return true
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

    func failure(of operation: String) -> NetlinkError {
        switch self {
        case .malformed(let malformed): return NetlinkError(operation: operation, malformed: malformed)
        case .system(let error):
            let reason = error.errno == ENOSPC ? "an answer larger than the receive buffer" : nil
            return NetlinkError(operation: operation, code: .init(rawValue: error.errno), reason: reason)
        }
    }
}
