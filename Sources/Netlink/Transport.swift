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

    /// One datagram; nil when none is there and none is waited for.
    func receive(into buffer: inout [UInt8], wait: Bool) throws(SystemCallError) -> Int? {
        switch self {
        case .script(let script):
            if let count = script.receive(into: &buffer) { return count }
            if wait { throw SystemCallError(errno: ETIMEDOUT) }
            return nil
        case .kernel(let socket):
            if let count = try socket.receive(into: &buffer) { return count }
            guard wait else { return nil }
            try socket.waitUntilReadable(milliseconds: NetlinkSocket.patience)
            guard let count = try socket.receive(into: &buffer) else { throw SystemCallError(errno: EAGAIN) }
            return count
        }
    }
}

extension Transport {
    /// Several datagrams at once; see `KernelSocket.receiveMany`.
    func receiveMany(
        into buffer: inout [UInt8], lengths: inout [UInt32], wait: Bool
    ) throws(SystemCallError) -> Bool {
        switch self {
        case .script(let script):
            lengths = script.receive(into: &buffer).map { [UInt32($0)] } ?? []
            if lengths.isEmpty, wait { throw SystemCallError(errno: ETIMEDOUT) }
            return !lengths.isEmpty
        case .kernel(let socket):
            if try socket.receiveMany(into: &buffer, lengths: &lengths) { return true }
            guard wait else { return false }
            try socket.waitUntilReadable(milliseconds: NetlinkSocket.patience)
            return try socket.receiveMany(into: &buffer, lengths: &lengths)
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

    func receive(into buffer: inout [UInt8]) -> Int? {
        guard !waiting.isEmpty else { return nil }
        let datagram = waiting.removeFirst().prefix(buffer.count)
        buffer.replaceSubrange(0..<datagram.count, with: datagram)
        return datagram.count
    }
}
