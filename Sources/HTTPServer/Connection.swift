internal import CMicroHTTPD
internal import Synchronization

/// One accepted connection; libmicrohttpd's socket context.
final class Connection: Sendable {
    /// What the connection is at, for the watch that cuts slow clients.
    enum Phase: UInt8, AtomicRepresentable {
        /// Between requests; part of a request line may have come.
        case awaiting
        /// A request line has come, the rest hasn't.
        case receiving
        /// A handler works, or a deferred answer is outstanding.
        case answering
        /// The answer is on its way.
        case sending
        /// A stream with bytes on their way.
        case streaming
        /// A stream that waits for its producer, as long as that may be.
        case paused
        /// Given up: nothing more is read or answered.
        case cut
    }

    let id: UInt64
    let server: Server
    let peer: Peer
    /// Valid until libmicrohttpd reports the connection closed, which takes it out of the registry first.
    let descriptor: Int32
    private let phase = Atomic(Phase.awaiting)
    /// The sweep after which the phase began.
    private let since: Atomic<Int>
    /// The request that is being read or answered. Unsafe: touched only by the connection's own thread.
    nonisolated(unsafe) var exchange: Exchange?
    /// The last request: the next one most often repeats the headers, and often all. Unsafe: as `exchange`.
    nonisolated(unsafe) var last: Request?
    /// Set when what follows in the byte stream can't be trusted to be a request.
    private let exhausted = Atomic(false)

    init(id: UInt64, server: Server, peer: Peer, descriptor: Int32) {
        self.id = id
        self.server = server
        self.peer = peer
        self.descriptor = descriptor
        since = Atomic(server.watch.sweeps)
    }

    var isIdle: Bool {
        let now = phase.load(ordering: .acquiring)
        return now == .awaiting || now == .cut
    }

    /// No further request is read from this connection.
    func exhaust() { exhausted.store(true, ordering: .relaxed) }

    var isExhausted: Bool { exhausted.load(ordering: .relaxed) }

    /// Moves on; false when the connection has been cut meanwhile.
    func move(from old: Phase, to new: Phase) -> Bool {
        guard phase.compareExchange(expected: old, desired: new, ordering: .acquiringAndReleasing).exchanged
        else { return false }
        // No bound runs while a handler works.
        if new != .answering { since.store(server.watch.sweeps, ordering: .relaxed) }
        return true
    }

    /// Back to waiting for a request, unless it was cut.
    func rest() {
        since.store(server.watch.sweeps, ordering: .relaxed)
        let now = phase.load(ordering: .relaxed)
        if now != .cut { _ = phase.compareExchange(expected: now, desired: .awaiting, ordering: .releasing) }
    }

    /// Notes that a stream's reader has taken what there was, and whether there is more.
    func noteStream(isPaused: Bool) {
        if isPaused {
            _ = move(from: .streaming, to: .paused)
        } else if !move(from: .paused, to: .streaming) {
            since.store(server.watch.sweeps, ordering: .relaxed)
        }
    }

    /// Cuts the connection when it has taken too long; called by the watch, under the registry's lock. One byte
    /// a second doesn't help: the time runs from the start of each phase.
    func cutIfOverdue(sweep: Int, limits: Limits) {
        let old = phase.load(ordering: .acquiring)
        // The first sweep may have come right after the phase began.
        let spent = Int64(sweep - since.load(ordering: .relaxed) - 1) * Int64(limits.sweepMilliseconds)
        let bound: Duration
        switch old {
        case .awaiting, .streaming: bound = limits.inactivity
        case .receiving: bound = limits.requestTime
        case .sending: bound = limits.responseTime
        case .answering, .paused, .cut: return
        }
        if spent > bound.milliseconds {
            guard move(from: old, to: .cut) else { return }
            if old == .receiving { sendLast(server.response(to: HTTPError.requestTimeout, nil)) }
        } else {
            // The client has gone, and libmicrohttpd, which is told once of bytes and end together, reads only
            // the bytes.
            guard old == .awaiting || old == .receiving, spent > 0, hasEnded,
                move(from: old, to: .cut)
            else { return }
        }
        _ = shutdown(descriptor, Int32(SHUT_RDWR))
    }

    /// Everything was read, and nothing more will come.
    private var hasEnded: Bool {
        var byte: UInt8 = 0
        return unsafe recv(descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) == 0
    }

    /// Writes an answer past libmicrohttpd, which itself has nothing to send in this phase; best effort.
    func sendLast(_ response: Response) {
        let bytes = response.closingBytes()
        _ = unsafe bytes.withUnsafeBytes { buffer in
            unsafe send(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        }
        server.counters.count(status: response.status, bytes: bytes.count)
    }
}
