internal import CMnl

extension NetlinkSocket {
    /// How often a dump that was interrupted by changes is read again.
    static let dumpTries = 16

    /// Sends a dump request and folds its answer, message by message, into a value.
    ///
    /// - Parameters:
    ///   - answer: the type of the messages that the answer consists of; others are left out.
    ///   - initial: asked for again when the kernel says (`NLM_F_DUMP_INTR`) that the list changed meanwhile, and
    ///     so may lack some or have some twice. Not a value, which would be copied at the first change: what it has
    ///     reserved would be lost.
    /// - Throws: the kernel's refusal; `EINTR` when the list never stood still.
    @inline(__always)  // With what it calls, so that a message costs no call of a closure for each of them.
    func dump<Result>(
        _ request: Request, answer: Int, into initial: @autoclosure () -> Result,
        _ body: (inout Result, RawSpan) throws(Malformed) -> Void
    ) throws(NetlinkError) -> Result {
        try exclusively(request.operation) { () throws(NetlinkError) in
            var slots = dumpSlots
            for _ in 0..<Self.dumpTries {
                var result = initial()
                var state = DumpState(answer: answer, portID: portID)
                do throws(SystemCallError) {
                    state.sequence = try send(CollectionOfOne(request), flags: 0)
                } catch {
                    throw ReceiveError.system(error).failure(of: request.operation)
                }
                do throws(ReceiveError) {
                    try readDump(&state, slots) { (payload) throws(Malformed) in try body(&result, payload) }
                } catch {
                    // Where a message ends is lost, and so is the dump's end: what waits is thrown away.
                    discardWaiting()
                    guard error.isCut, slots > 1 else { throw error.failure(of: request.operation) }
                    // One as large as all of the buffer, as of a link with very many names.
                    slots = 1
                    continue
                }
                if state.isRefused { counters.add(refusals: 1) }
                if let failure = state.failure(of: request.operation) { throw failure }
                if !state.isInterrupted { return result }
                counters.addInterruptedDump()
            }
            throw NetlinkError(
                operation: request.operation, code: .interrupted,
                reason: "the list kept changing while it was read, \(Self.dumpTries) times")
        }
    }

    /// Receives until the dump's end, also when it is of no more use: the kernel begins no other before.
    @inline(__always)
    private func readDump(
        _ state: inout DumpState, _ slots: Int, _ body: (RawSpan) throws(Malformed) -> Void
    ) throws(ReceiveError) {
        while !state.isDone {
            _ = try receive(wait: true, slots: slots) { (datagram) throws(Malformed) in
                try datagram.forEachMessage { (header, payload) throws(Malformed) in
                    guard state.take(header, payload) else { return }
                    do throws(Malformed) { try body(payload) } catch { state.malformed = error }
                }
            }
        }
    }
}

/// Where the reading of a dump stands.
private struct DumpState {
    let answer: UInt16
    let portID: UInt32
    var sequence: UInt32 = 0
    var isDone = false
    var isInterrupted = false
    /// What one of the messages suffered from.
    var malformed: Malformed?
    private var acknowledgement: Acknowledgement?

    init(answer: Int, portID: UInt32) {
        self.answer = UInt16(truncatingIfNeeded: answer)
        self.portID = portID
    }

    /// Notes what a message means for the whole; answers whether it is one of the dump's data.
    @inline(__always)
    mutating func take(_ header: nlmsghdr, _ payload: RawSpan) -> Bool {
        guard header.nlmsg_seq == sequence, header.nlmsg_pid == portID else { return false }
        if header.nlmsg_flags & UInt16(NLM_F_DUMP_INTR) != 0 { isInterrupted = true }
        if header.nlmsg_type == answer { return !isInterrupted }
        finish(header, payload)
        return false
    }

    private mutating func finish(_ header: nlmsghdr, _ payload: RawSpan) {
        do throws(Malformed) {
            switch Int32(header.nlmsg_type) {
            case NLMSG_DONE: acknowledgement = try Acknowledgement(done: payload, flags: header.nlmsg_flags)
            case NLMSG_ERROR: acknowledgement = try Acknowledgement(error: payload, flags: header.nlmsg_flags)
            default: return
            }
        } catch {
            malformed = error
        }
        isDone = true
    }

    var isRefused: Bool { acknowledgement.map { $0.errno != 0 } ?? false }

    func failure(of operation: String) -> NetlinkError? {
        if let failure = acknowledgement?.failure(of: operation) { return failure }
        guard let malformed, !isInterrupted else { return nil }
        return NetlinkError(operation: operation, malformed: malformed)
    }
}
