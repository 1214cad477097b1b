internal import Logging
internal import Synchronization

/// Answers one deferred request, once, from any thread. Later answers, and answers to a connection that is
/// gone, do nothing. Dropped without an answer, it answers 500 and logs.
public final class Responder: Sendable {
    private let deferral: Deferral
    /// Whether the handler may block its thread until it returns: only the client who is to be answered waits for it.
    public let mayBlock: Bool

    init(_ deferral: Deferral, mayBlock: Bool) {
        self.deferral = deferral
        self.mayBlock = mayBlock
    }

    public func answer(_ response: Response) { deferral.settle(.response(response)) }

    public func answer(_ response: PreparedResponse) { deferral.settle(.prepared(response)) }

    /// Answers with what `onError` makes of it.
    public func fail(_ error: any Error) { deferral.settle(.failure(error)) }

    /// Has `action` called once if the client leaves, or will send no more, before it is answered. To be called where
    /// the request was deferred, at once.
    public func onDisconnect(_ action: @escaping @Sendable () -> Void) { deferral.watch(action) }

    deinit {
        guard deferral.settle(.failure(HTTPError.internalError)) else { return }
        deferral.server.logger.error("A deferred request was dropped without an answer.")
    }
}

/// The wait of one connection for its deferred answer.
///
/// The lock orders suspending and resuming, which may come from two threads: libmicrohttpd must be asked to
/// resume exactly when it was asked to suspend before.
final class Deferral: Sendable {
    enum Outcome: Sendable {
        case response(Response)
        case prepared(PreparedResponse)
        case failure(any Error)
    }

    private enum State: Sendable {
        case running
        case suspended(MHDConnection)
        case settled(Outcome)
        case taken
    }

    let id: UInt64
    let server: Server
    private let state = Mutex(State.running)
    /// Of the connection, which is open for as long as the handler runs.
    private let descriptor: Int32
    private let onDisconnect = Mutex<(@Sendable () -> Void)?>(nil)

    init(id: UInt64, server: Server, descriptor: Int32) {
        self.id = id
        self.server = server
        self.descriptor = descriptor
    }

    func watch(_ action: @escaping @Sendable () -> Void) {
        onDisconnect.withLock { $0 = action }
        server.watch.add(id, descriptor)
    }

    func clientLeft() {
        let action = onDisconnect.withLock { action in
            defer { action = nil }
            return action
        }
        action?()
    }

    /// False when it was settled before.
    @discardableResult
    func settle(_ outcome: Outcome) -> Bool {
        let (first, suspended): (Bool, MHDConnection?) = state.withLock { state in
            switch state {
            case .running:
                state = .settled(outcome)
                return (true, nil)
            case .suspended(let connection):
                state = .settled(outcome)
                return (true, connection)
            case .settled, .taken: return (false, nil)
            }
        }
        // After the lock, which the handler takes as soon as its thread is woken.
        suspended?.resume()
        if first {
            server.deferrals.remove(id)
            onDisconnect.withLock { $0 = nil }
        }
        return first
    }

    /// The outcome if there is one; otherwise suspends the connection, whose handler is called again later.
    func takeOrSuspend(_ connection: MHDConnection) -> Outcome? {
        state.withLock { state in
            switch state {
            case .running:
                connection.suspend()
                state = .suspended(connection)
                return nil
            case .settled(let outcome):
                state = .taken
                return outcome
            case .suspended, .taken: return nil
            }
        }
    }
}
