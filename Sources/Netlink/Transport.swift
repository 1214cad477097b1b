internal import CMnl

/// Where bytes go to and come from: the kernel, or a test's script.
enum Transport {
    case kernel(KernelSocket)
    case script(Script)

    var portID: UInt32 {
        switch self {
        case .kernel(let socket): socket.portID
        case .script: Script.portID
        }
    }

    /// The most bytes of one send. The kernel copies it into one buffer and refuses what exceeds its own limit.
    var sendLimit: Int {
        switch self {
        case .kernel(let socket): min(1 << 20, socket.sendCapacity - 1024)
        case .script: 1 << 20
        }
    }

    private static let mostAnswers = 4000 * Request.acknowledgementCost

    /// How much of the receive buffer the answers of one send may take: half of it, since all of them wait in it
    /// when the send returns.
    var answerLimit: Int {
        switch self {
        case .kernel(let socket): min(Self.mostAnswers, socket.receiveCapacity / 2)
        case .script: Self.mostAnswers
        }
    }

    func send(_ bytes: [UInt8]) throws(SystemCallError) {
        switch self {
        case .kernel(let socket): try socket.send(bytes)
        case .script(let script): script.send(bytes)
        }
    }

    /// What waits, as far as the buffer has slots; false when nothing does and nothing is waited for.
    func receive(into buffer: inout ReceiveBuffer, slots: Int, wait: Bool) throws(SystemCallError) -> Bool {
        switch self {
        case .script(let script):
            if try script.receive(into: &buffer, slots: slots) { return true }
            if wait { throw SystemCallError(errno: ETIMEDOUT) }
            return false
        case .kernel(let socket):
            if try socket.receive(into: &buffer, slots: slots) { return true }
            guard wait else { return false }
            try socket.waitUntilReadable(milliseconds: NetlinkSocket.patience)
            return try socket.receive(into: &buffer, slots: slots)
        }
    }
}

/// A kernel of a test's making.
final class Script {
    static let portID: UInt32 = 4711
    private let answer: ([UInt8]) -> [[UInt8]]
    private var waiting: [[UInt8]] = []

    init(_ answer: @escaping ([UInt8]) -> [[UInt8]]) { self.answer = answer }

    func send(_ bytes: [UInt8]) { waiting += answer(bytes) }

    func receive(into buffer: inout ReceiveBuffer, slots: Int) throws(SystemCallError) -> Bool {
        try unsafe buffer.fill(slots: slots) { (start, slot, slots, lengths) throws(SystemCallError) in
            let datagrams = waiting.prefix(slots)
            for (position, datagram) in datagrams.enumerated() {
                unsafe start?.advanced(by: position * slot).copyMemory(
                    from: datagram, byteCount: min(datagram.count, slot))
                unsafe lengths?[position] = UInt32(datagram.count)
            }
            waiting.removeFirst(datagrams.count)
            return datagrams.count
        }
        return buffer.count > 0
    }
}
