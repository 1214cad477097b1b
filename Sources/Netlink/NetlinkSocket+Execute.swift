internal import CMnl

extension NetlinkSocket {
    public typealias Outcome = Result<[Message], NetlinkError>

    /// Sends all requests back to back, in as few system calls as the buffers allow, and answers the outcome of
    /// each, in their order. The kernel does them in order too, and goes on after one that it refuses.
    ///
    /// - Returns: for each request the data it asked for (nothing, where it asked for none), or why it failed.
    ///   `ENOBUFS` (`.answersLost`) is an outcome that isn't known.
    /// - Throws: when nothing has reached the kernel.
    public func execute(_ requests: [Request]) throws(NetlinkError) -> [Outcome] {
        try exclusively("execute \(requests.count) requests") { () throws(NetlinkError) in
            var outcomes: [Outcome] = []
            outcomes.reserveCapacity(requests.count)
            while outcomes.count < requests.count {
                outcomes += try executeSome(requests[outcomes.count...], isFirst: outcomes.isEmpty)
            }
            return outcomes
        }
    }

    /// Does one request; answers the data that it asked for.
    @discardableResult
    public func execute(_ request: Request) throws(NetlinkError) -> [Message] {
        guard let outcome = try execute([request]).first else { return [] }
        return try outcome.get()
    }

    /// Does as many requests as one send may hold. One that can't be sent at all is an outcome by itself.
    private func executeSome(
        _ requests: ArraySlice<Request>, isFirst: Bool
    ) throws(NetlinkError) -> [Outcome] {
        let sendable = requests.prefix { $0.failure == nil }
        guard !sendable.isEmpty else {
            return requests.prefix { $0.failure != nil }.map { .failure($0.refusal) }
        }
        let batch = batch(of: sendable)
        var answers: Answers
        do {
            answers = Answers(first: try send(batch, flags: NLM_F_ACK), count: batch.count, portID: portID)
        } catch {
            let failures = batch.map { ReceiveError.system(error).failure(of: $0.operation) }
            // What went before has reached the kernel, and its outcomes must reach the caller.
            if isFirst, let failure = failures.first { throw failure }
            return failures.map { .failure($0) }
        }
        let lost = collect(&answers)
        counters.add(refusals: answers.refusals)
        return zip(batch, answers.slots).map { request, slot in slot.outcome(of: request, lost: lost) }
    }

    /// Receives until each request is acknowledged; answers why some never were.
    private func collect(_ answers: inout Answers) -> ReceiveError? {
        var lost: ReceiveError?
        while answers.pending > 0 {
            do {
                let received = try receive(wait: lost == nil, slots: Self.answerSlots) {
                    (datagram) throws(Malformed) in
                    try datagram.forEachMessage { (header, payload) throws(Malformed) in
                        try answers.take(header, payload)
                    }
                }
                if !received { break }
            } catch {
                // After an overflow the answers that did fit are still there; what is waiting is read.
                if lost != nil, case .system(let error) = error, error.errno != ENOBUFS { break }
                lost = lost ?? error
            }
        }
        return lost
    }
}

extension Request {
    /// Why it can't be sent.
    fileprivate var refusal: NetlinkError {
        NetlinkError(operation: operation, code: .invalid, reason: failure?.description)
    }
}

/// The answers to one send, by sequence number.
private struct Answers {
    struct Slot {
        var messages: [Message] = []
        var malformed: Malformed?
        var acknowledgement: Acknowledgement?

        func outcome(of request: Request, lost: ReceiveError?) -> NetlinkSocket.Outcome {
            if let failure = acknowledgement?.failure(of: request.operation) { return .failure(failure) }
            if let malformed {
                return .failure(NetlinkError(operation: request.operation, malformed: malformed))
            }
            if acknowledgement != nil { return .success(messages) }
            let lost = lost ?? .system(SystemCallError(errno: ENOBUFS))
            return .failure(lost.failure(of: request.operation))
        }
    }

    let first: UInt32
    let portID: UInt32
    var slots: [Slot]
    var pending: Int
    /// How many of them the kernel refused.
    private(set) var refusals = 0

    init(first: UInt32, count: Int, portID: UInt32) {
        self.first = first
        self.portID = portID
        slots = Array(repeating: Slot(), count: count)
        pending = count
    }

    /// Takes a message to its request; one that answers none of these, left from an earlier send, is dropped.
    mutating func take(_ header: nlmsghdr, _ payload: RawSpan) throws(Malformed) {
        let index = Int(header.nlmsg_seq &- first)
        guard header.nlmsg_pid == portID, index < slots.count, slots[index].acknowledgement == nil else {
            return
        }
        switch Int32(header.nlmsg_type) {
        case NLMSG_ERROR:
            let acknowledgement = try Acknowledgement(error: payload, flags: header.nlmsg_flags)
            if acknowledgement.errno != 0 { refusals += 1 }
            slots[index].acknowledgement = acknowledgement
            pending -= 1
        case NLMSG_NOOP, NLMSG_DONE: break
        default:
            do {
                slots[index].messages.append(try Message(type: header.nlmsg_type, payload: payload))
            } catch {
                slots[index].malformed = error
            }
        }
    }
}
