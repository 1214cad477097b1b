internal import CMicroHTTPD
internal import Synchronization

/// A body that is pushed piece by piece, from any thread, and holds none while it waits.
///
/// Once handed over in a response it may be pushed to at once. The client's going is noticed by the kernel's
/// word, or by a write that fails.
public final class ResponseStream: Sendable {
    public enum Push: Sendable, Equatable {
        case accepted
        /// The reader is slow; nothing was taken. Drop, coalesce, or try later.
        case full
        /// Finished, or the client is gone; nothing will be taken any more.
        case closed
    }

    struct State {
        /// What waits, in order.
        var pieces = PieceQueue()
        /// No more pushes.
        var isFinished = false
        /// The connection is over, or shall be.
        var isAborted = false
        var suspended: MHDConnection?
        /// Whether somebody was told that it is full, and not yet that there is room again.
        var owesRoom = false
        var onRoom: (@Sendable () -> Void)?
        var onClose: (@Sendable () -> Void)?
        var isUsed = false
    }

    public let capacityBytes: Int
    let state = Mutex(State())

    /// - Parameters:
    ///   - capacityBytes: how much may wait for a slow reader.
    ///   - onClose: called once when the connection's part is over, for whatever reason, on any thread.
    ///   - onRoom: called once for each time that a push found it full, when its reader has taken all there was. On
    ///     the connection's thread: it must return at once.
    public init(
        capacityBytes: Int = 64 * 1024, onClose: (@Sendable () -> Void)? = nil,
        onRoom: (@Sendable () -> Void)? = nil
    ) {
        self.capacityBytes = capacityBytes
        state.withLock { state in
            state.onRoom = onRoom
            state.onClose = onClose
        }
    }

    /// Takes all of `bytes` or nothing. An empty stream takes a piece of any size.
    public func push(_ bytes: some Collection<UInt8>) -> Push {
        push(count: bytes.count) { $0.append(copying: bytes) }
    }

    /// The same without copying them: what is pushed into many streams is in memory once.
    public func push(shared bytes: [UInt8]) -> Push {
        push(count: bytes.count) { $0.append(sharing: bytes) }
    }

    private func push(count: Int, _ append: (inout PieceQueue) -> Void) -> Push {
        state.withLock { state in
            if state.isFinished || state.isAborted { return .closed }
            if !state.pieces.isEmpty, state.pieces.count + count > capacityBytes {
                state.owesRoom = true
                return .full
            }
            if count == 0 { return .accepted }
            append(&state.pieces)
            state.wake()
            return .accepted
        }
    }

    /// Ends the body after what was pushed.
    public func finish() {
        state.withLock { state in
            state.isFinished = true
            state.wake()
        }
    }

    public var isClosed: Bool { state.withLock { $0.isFinished || $0.isAborted } }

    /// Ends the connection without the rest.
    public func abort() {
        state.withLock { state in
            state.isAborted = true
            state.wake()
        }
    }

    /// The connection is over: nothing is held for it any more.
    func closed() {
        let onClose = state.withLock { state in
            state.isAborted = true
            state.suspended = nil
            state.pieces = PieceQueue()
            state.onRoom = nil
            defer { state.onClose = nil }
            return state.onClose
        }
        onClose?()
    }

    /// True the first time: a stream is the body of one response.
    func claim() -> Bool {
        state.withLock { state in
            defer { state.isUsed = true }
            return !state.isUsed
        }
    }
}

extension ResponseStream.State {
    mutating func wake() {
        suspended?.resume()
        suspended = nil
    }

    /// What libmicrohttpd's content reader is to return: bytes copied, or an end; 0 when it was suspended.
    mutating func read(into target: UnsafeMutableRawBufferPointer, _ connection: MHDConnection) -> Int {
        if isAborted { return mhd_shim_end_with_error }
        guard !pieces.isEmpty else {
            if isFinished { return mhd_shim_end_of_stream }
            connection.suspend()
            suspended = connection
            return 0
        }
        return unsafe pieces.take(into: target)
    }

    /// Whom to tell that all was taken.
    mutating func takeRoomOwed() -> (@Sendable () -> Void)? {
        guard owesRoom, pieces.isEmpty else { return nil }
        owesRoom = false
        return onRoom
    }
}
