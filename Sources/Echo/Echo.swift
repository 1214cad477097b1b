internal import Dispatch
public import Logging
internal import Synchronization
public import Tunnels

/// Asks an address through one link, each second, until it has answered once (ICMP echo, RFC 792).
///
/// It holds no thread while it waits. A link that isn't there, or is made anew, is tried again with the next request.
public final class Echo: Sendable {
    /// Whom to ask, and how.
    public struct Question: Hashable, Sendable {
        public var address: IPv4Address
        /// The link that requests leave by and answers must come by.
        public var link: String
        /// An address of this host; nil leaves it to the kernel.
        public var source: IPv4Address?

        public init(_ address: IPv4Address, through link: String, from source: IPv4Address? = nil) {
            self.address = address
            self.link = link
            self.source = source
        }
    }

    private struct State {
        var timer: (any DispatchSourceTimer)?
        var reader: (any DispatchSourceRead)?
        var socket: EchoSocket?
        var sequence: UInt16 = 0
        /// Said once, not each second.
        var fault: EchoError?
        var isOver = false

        mutating func closeSocket() {
            reader?.cancel()
            (reader, socket) = (nil, nil)
        }
    }

    /// An echo request has no options, so its answer is this long at most: an IP header with options, and ours.
    private static let answerLength = 60 + 8 + EchoMessage.cookieLength
    /// Requests whose answer still counts.
    private static let openRequests: UInt16 = 16

    private let question: Question
    private let identifier = UInt16.random(in: .min ... .max)
    private let cookie = UInt64.random(in: .min ... .max)
    private let queue = DispatchQueue(label: "tunneld.echo")
    private let state = Mutex(State())
    private let answered: @Sendable () -> Void
    private let logger: Logger

    /// Sends the first request at once, in the network namespace of the process.
    ///
    /// - Parameter answered: called once, on a queue of the echo's own; not after ``cancel()`` has returned unless it was
    ///   under way.
    public init(
        _ question: Question, every interval: Duration = .seconds(1), logger: Logger,
        answered: @escaping @Sendable () -> Void
    ) {
        self.question = question
        self.answered = answered
        self.logger = logger
        let (seconds, attoseconds) = interval.components
        let nanoseconds = Int(seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000)
        state.withLock { state in
            let timer = DispatchSource.makeTimerSource(queue: queue)
            timer.setEventHandler { [weak self] in self?.ask() }
            timer.schedule(deadline: .now(), repeating: .nanoseconds(nanoseconds))
            timer.activate()
            state.timer = timer
        }
    }

    deinit { cancel() }

    /// Why no echo can be sent by this process, and what to do; nil where it can.
    public static var obstacle: String? {
        do throws(EchoError) {
            _ = try EchoSocket()
            return nil
        } catch {
            return "tunneld \(error): give it CAP_NET_RAW, or confirm the change yourself."
        }
    }

    /// Asks no more.
    public func cancel() {
        state.withLock { state in
            state.isOver = true
            state.timer?.cancel()
            state.closeSocket()
        }
    }

    private func ask() {
        state.withLock { state in
            guard !state.isOver else { return }
            do throws(EchoError) {
                let socket = if let socket = state.socket { socket } else { try open(&state) }
                state.sequence &+= 1
                try socket.send(message(state.sequence).request, to: question.address)
                state.fault = nil
            } catch {
                // The link may be another one under the same name by now.
                state.closeSocket()
                if state.fault != error { logger.warning("probe not sent", metadata: ["error": "\(error)"]) }
                state.fault = error
            }
        }
    }

    private func open(_ state: inout State) throws(EchoError) -> EchoSocket {
        let socket = try EchoSocket(link: question.link, source: question.source)
        let reader = DispatchSource.makeReadSource(fileDescriptor: socket.descriptor, queue: queue)
        reader.setEventHandler { [weak self] in self?.hear(socket) }
        // The descriptor stays open for as long as the source waits for it.
        reader.setCancelHandler { withExtendedLifetime(socket) {} }
        reader.activate()
        (state.socket, state.reader) = (socket, reader)
        return socket
    }

    /// Takes in what has come; a bounded number at a time, as anybody may send us ICMP.
    private func hear(_ socket: EchoSocket) {
        let isAnswered = state.withLock { state in
            guard !state.isOver else { return false }
            for _ in 0..<64 {
                guard let packet = socket.receive(limit: Self.answerLength) else { break }
                let first = state.sequence &- Self.openRequests
                let sequences = (1...Self.openRequests).map { first &+ $0 }
                guard sequences.contains(where: { message($0).isAnswered(by: packet, from: question.address) }) else {
                    continue
                }
                state.isOver = true
                state.timer?.cancel()
                state.closeSocket()
                return true
            }
            return false
        }
        if isAnswered { answered() }
    }

    private func message(_ sequence: UInt16) -> EchoMessage {
        EchoMessage(identifier: identifier, sequence: sequence, cookie: cookie)
    }
}
