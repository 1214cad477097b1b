internal import CMicroHTTPD
public import Logging
internal import Synchronization

/// One answered request, for an access log. Never holds headers.
public struct AccessLogEntry: Sendable {
    public let method: Method
    /// As it was sent, percent-encoded.
    public let target: String
    public let status: Int
    /// Of the body.
    public let bytes: Int
    /// From the request line to the answer's last byte.
    public let microseconds: Int64
}

/// An HTTP/1.1 server on libmicrohttpd: any number of listeners, one router.
///
/// Handlers run on libmicrohttpd's few threads: they must not block, but for `Responder.mayBlock`. What takes long is
/// answered with `Answer.deferred`. A server that listens must be stopped with `stop(grace:)`; it is kept alive until then.
public final class Server: Sendable {
    /// Runs when the headers have come, before the body is read. `route` is nil where the path or the method
    /// has none. Returns an answer to refuse, and may set the request's `principal`.
    public typealias Authorize = @Sendable (_ request: inout Request, _ route: Route?) throws -> Response?
    /// Makes the response for anything thrown by a handler, by `authorize` or by the server (`HTTPError`).
    /// The request is nil when there is none yet, or no longer.
    public typealias OnError = @Sendable (_ error: any Error, _ request: Request?) -> Response
    public typealias AccessLog = @Sendable (AccessLogEntry) -> Void

    public let router: Router
    public let limits: Limits
    let logger: Logger
    let accessLog: AccessLog?
    private let authorize: Authorize
    private let onError: OnError

    let counters = Counters()
    let deferrals: Outstanding<Deferral>
    let streams: Outstanding<ResponseStream>
    let watch: Watch
    private let lastID = Atomic<UInt64>(0)
    private let accepted = Atomic<UInt64>(0)
    /// What bodies hold beyond `Limits.bodyBytes` each.
    private let largeBodies = Atomic<Int>(0)
    private let stopping = Atomic(false)
    /// Set when the listeners are stopped.
    private let closing = Atomic(false)
    private let connections = Mutex<[UInt64: Connection]>([:])
    private let listeners = Mutex<[Listener]>([])
    /// Bound, and not served yet.
    private let waiting = Mutex<[ListenSocket]>([])
    private let completion: Signal

    public init(
        router: Router, limits: Limits = Limits(), logger: Logger,
        authorize: @escaping Authorize = { _, _ in nil },
        onError: OnError? = nil, accessLog: AccessLog? = nil
    ) throws(ListenError) {
        self.router = router
        self.limits = limits
        self.logger = logger
        self.authorize = authorize
        self.onError = onError ?? { error, _ in Response(error as? HTTPError ?? .internalError) }
        self.accessLog = accessLog
        deferrals = Outstanding(limit: limits.deferredAnswers)
        streams = Outstanding(limit: limits.streams)
        completion = try Signal()
        watch = try Watch()
    }

    public var statistics: ServerStatistics {
        ServerStatistics(
            responsesByClass: counters.responsesByClass, sentBytes: counters.sentBytes,
            receivedBytes: counters.receivedBytes, openConnections: connections.withLock { $0.count },
            acceptedConnections: accepted.load(ordering: .relaxed), deferredAnswers: deferrals.count,
            openStreams: streams.count)
    }

    /// Takes an address: clients can connect, and are answered from `serve` on.
    ///
    /// - Parameters:
    ///   - socketGroup: the group that a unix socket is given to; its mode is 0660.
    /// - Returns: the address with the port that the kernel chose for port 0.
    public func bind(to address: ListenAddress, socketGroup: String? = nil) throws(ListenError) -> ListenAddress {
        if isStopping { throw .stopped }
        let socket = try ListenSocket(address, group: socketGroup)
        waiting.withLock { $0.append(socket) }
        return socket.address
    }

    /// Serves the addresses that were taken, until `stop`.
    public func serve() throws(ListenError) {
        watch.start(server: self)
        while let socket = waiting.withLock({ $0.popLast() }) {
            let listener = try Listener(socket, server: self)
            listeners.withLock { $0.append(listener) }
            logger.info("Listening", metadata: ["address": "\(listener.address)"])
        }
    }

    /// Both at once.
    @discardableResult
    public func listen(on address: ListenAddress, socketGroup: String? = nil) throws(ListenError) -> ListenAddress {
        let actual = try bind(to: address, socketGroup: socketGroup)
        try serve()
        return actual
    }

    /// Stops: takes no new connections or requests, waits up to `grace` for answers that are due, answers 503
    /// to the deferred that are left, ends the streams, and closes everything. Blocks; call it once.
    public func stop(grace: Duration = .seconds(5)) {
        guard
            stopping.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing)
                .exchanged
        else { return }
        for socket in waiting.withLock({ $0 }) {
            socket.close()
            socket.removeFile()
        }
        let listeners = listeners.withLock { $0 }
        for listener in listeners { listener.disappear() }
        for stream in streams.close() { stream.finish() }
        waitUntilIdle(grace)
        for deferral in deferrals.close() { deferral.settle(.failure(HTTPError.stopping)) }
        for stream in streams.all { stream.abort() }
        waitUntilIdle(.seconds(1))
        closing.store(true, ordering: .relaxed)
        for listener in listeners { listener.stop() }
        watch.stop()
        self.listeners.withLock { $0 = [] }
    }

    private func waitUntilIdle(_ bound: Duration) {
        let deadline = mhd_shim_coarse_milliseconds() + bound.milliseconds
        while !connections.withLock({ $0.values.allSatisfy(\.isIdle) }) {
            let left = deadline - mhd_shim_coarse_milliseconds()
            guard left > 0 else { return }
            completion.wait(milliseconds: Int32(min(left, 1000)))
        }
    }
}

// MARK: - For connections and exchanges

extension Server {
    var isStopping: Bool { stopping.load(ordering: .relaxed) }
    var isClosing: Bool { closing.load(ordering: .relaxed) }

    /// Tells a waiting `stop` that a request is done.
    func noteCompletion() {
        if isStopping { completion.raise() }
    }

    func nextID() -> UInt64 { lastID.add(1, ordering: .relaxed).newValue }

    func response(to error: any Error, _ request: Request?) -> Response { onError(error, request) }

    /// Asks `authorize`, which decides before it is said whether there is a route.
    func route(_ request: inout Request) throws -> Route {
        let match = request.match
        let found: Route? = if case .route(let route, _) = match { route } else { nil }
        if let refusal = try authorize(&request, found) { throw EarlyAnswer(response: refusal) }
        if let found { return found }
        if request.method == .options, request.target.rawPath == "*" {
            throw EarlyAnswer(response: Response(status: 204))
        }
        guard case .otherMethods(let allowed) = match else { throw HTTPError.notFound }
        guard request.method == .options else { throw HTTPError.methodNotAllowed(allow: allowed) }
        let allow = allowed.map(\.rawValue).joined(separator: ", ")
        throw EarlyAnswer(response: Response(status: 204, headers: [.init("Allow", allow)]))
    }

    /// Asks to hold so many bytes of a large body.
    func reserve(_ bytes: Int) -> Bool {
        guard largeBodies.add(bytes, ordering: .relaxed).newValue > limits.largeBodiesBytes else { return true }
        release(bytes)
        return false
    }

    func release(_ bytes: Int) {
        if bytes > 0 { largeBodies.subtract(bytes, ordering: .relaxed) }
    }

    func addDeferral(_ descriptor: Int32) throws(HTTPError) -> Deferral {
        let deferral = Deferral(id: nextID(), server: self, descriptor: descriptor)
        do { try deferrals.add(deferral, deferral.id) } catch { throw Self.refusal(error, "requests") }
        return deferral
    }

    func addStream(_ stream: ResponseStream, _ descriptor: Int32) throws(HTTPError) -> UInt64 {
        guard stream.claim() else { throw .internalError }
        let id = nextID()
        do { try streams.add(stream, id) } catch { throw Self.refusal(error, "streams") }
        watch.add(id, descriptor)
        mhd_shim_bound_unsent(descriptor, Self.unsentBytes)
        return id
    }

    /// Of a stream, in the kernel: what waits there can't be replaced by what is newer.
    private static let unsentBytes: Int32 = 128 * 1024

    private static func refusal<Item>(_ refusal: Outstanding<Item>.Refusal, _ what: String) -> HTTPError {
        switch refusal {
        case .full: .overloaded("Too many \(what) are outstanding.")
        case .closed: .stopping
        }
    }

    /// Then no other waits for the thread of this one, and the next to come is accepted by another thread.
    var hasOneConnection: Bool { connections.withLock { $0.count == 1 } }

    func opened(_ connection: Connection) {
        accepted.add(1, ordering: .relaxed)
        connections.withLock { $0[connection.id] = connection }
    }

    func closed(_ connection: Connection) {
        connections.withLock { _ = $0.removeValue(forKey: connection.id) }
        noteCompletion()
    }

    /// Cuts what has taken too long. The lock keeps the descriptors valid meanwhile.
    func sweep() {
        let sweep = watch.sweeps
        connections.withLock { open in
            for connection in open.values { connection.cutIfOverdue(sweep: sweep, limits: limits) }
        }
    }
}
