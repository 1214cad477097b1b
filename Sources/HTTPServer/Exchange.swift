internal import CMicroHTTPD
internal import Logging

/// One request and its answer, from the request line to libmicrohttpd's completion callback.
///
/// Everything here runs on the connection's thread: libmicrohttpd calls for one connection one after another.
final class Exchange {
    private enum Stage {
        /// The request line has come.
        case started
        /// The head is good; the body, if there is one, is being read for this route.
        case receiving(Request, Route)
        /// Decided already; what is left is to wait for the call that may answer and keep the connection open.
        case decided(Outcome)
        case deferred(Deferral)
        case answered
    }

    typealias Outcome = Deferral.Outcome

    private let connection: Connection
    private let mhd: MHDConnection
    private var server: Server { connection.server }
    private let target: [UInt8]
    /// Where libmicrohttpd keeps the target; compared, never followed.
    private let targetAddress: UInt
    private var stage = Stage.started
    private var body: [UInt8] = []
    /// Of `Limits.largeBodiesBytes`, until the answer is sent.
    private var reservedBytes = 0
    /// The connection ends with this answer.
    private var isLast = false
    private var stream: (id: UInt64, stream: ResponseStream)?

    private var method = Method.other
    private var status = 0
    private var sentBytes = 0
    private let startedMicroseconds: Int64

    init(connection: Connection, mhd: MHDConnection, target: UnsafeBufferPointer<UInt8>) {
        self.connection = connection
        self.mhd = mhd
        self.target = unsafe Array(target)
        targetAddress = UInt(bitPattern: target.baseAddress)
        startedMicroseconds = connection.server.accessLog == nil ? 0 : mhd_shim_microseconds()
    }

    /// The first call after the head and the last after the body.
    func proceed(method: UnsafePointer<CChar>?, version: UnsafePointer<CChar>?) -> MHD_Result {
        switch takeStage() {
        case .started:
            guard !connection.isExhausted, let method = unsafe method, let version = unsafe version else {
                return .NO
            }
            return unsafe start(method: method, version: version)
        case .receiving(var request, let route):
            guard connection.move(from: .receiving, to: .answering) else { return .NO }
            request.body = body
            body = []
            return perform(request, route)
        case .decided(let outcome):
            return send(outcome)
        case .deferred(let deferral): return waitFor(deferral)
        case .answered: return .NO
        }
    }

    /// Sends the deferred answer if there is one; otherwise the connection is suspended, and this is called
    /// again when there is.
    private func waitFor(_ deferral: Deferral) -> MHD_Result {
        guard let outcome = deferral.takeOrSuspend(mhd) else {
            stage = .deferred(deferral)
            return .YES
        }
        return send(outcome)
    }

    /// Moves the stage out, which spares copying a request; whoever takes it sets the next.
    private func takeStage() -> Stage {
        var taken = Stage.answered
        swap(&taken, &stage)
        return taken
    }

    private func start(method: UnsafePointer<CChar>, version: UnsafePointer<CChar>) -> MHD_Result {
        var request: Request
        do throws(HTTPError) {
            request = try unsafe readHead(method: method, version: version)
        } catch {
            // Where the next request would begin is not known: answer now, which closes.
            return refuse(.failure(error), unread: true)
        }
        let framing = request.headers.framing
        isLast = framing.isChunked
        do {
            if server.isStopping { throw HTTPError.stopping }
            let route = try server.route(&request)
            let limit = route.bodyBytes ?? server.limits.bodyBytes
            if let length = framing.contentLength, length > limit {
                throw HTTPError.payloadTooLarge(limitBytes: limit)
            }
            stage = .receiving(request, route)
            return .YES
        } catch {
            return refuse(Self.outcome(of: error), unread: framing.announcesBody)
        }
    }

    /// Answers instead of reading on. Answering at once closes the connection; when nothing is left unread
    /// that isn't needed, and the answer waits for libmicrohttpd's next call.
    private func refuse(_ outcome: Outcome, unread: Bool) -> MHD_Result {
        guard connection.move(from: .receiving, to: .answering) else { return .NO }
        guard unread else {
            stage = .decided(outcome)
            return .YES
        }
        connection.exhaust()
        server.watch.linger(connection.descriptor)
        return send(outcome)
    }

    private static func outcome(of error: any Error) -> Outcome {
        if let early = error as? EarlyAnswer { return .response(early.response) }
        return .failure(error)
    }

    /// Takes a piece of the body. libmicrohttpd lets no answer be queued here: one that grows too large is
    /// answered past it.
    func receive(_ bytes: UnsafeBufferPointer<UInt8>) -> MHD_Result {
        guard case .receiving(let request, let route) = stage else { return .YES }
        server.counters.count(received: bytes.count)
        let size = body.count + bytes.count
        let limit = route.bodyBytes ?? server.limits.bodyBytes
        if size > limit { return refuseRest(of: request, .payloadTooLarge(limitBytes: limit)) }
        let large = size - server.limits.bodyBytes - reservedBytes
        if large > 0 {
            guard server.reserve(large) else {
                return refuseRest(of: request, .overloaded("Too many large bodies are being read."))
            }
            reservedBytes += large
        }
        unsafe body.append(contentsOf: bytes)
        return .YES
    }

    private func refuseRest(of request: Request, _ error: HTTPError) -> MHD_Result {
        guard connection.move(from: .receiving, to: .cut) else { return .NO }
        connection.exhaust()
        stage = .answered
        server.watch.linger(connection.descriptor)
        connection.sendLast(server.response(to: error, request))
        return .NO
    }

    private func perform(_ request: Request, _ route: Route) -> MHD_Result {
        do {
            switch try route.handler(request) {
            case .response(let response): return send(.response(response))
            case .prepared(let response): return send(.prepared(response))
            case .deferred(let begin):
                let deferral = try server.addDeferral(connection.descriptor)
                begin(Responder(deferral, mayBlock: server.hasOneConnection))
                return waitFor(deferral)
            }
        } catch {
            return send(.response(server.response(to: error, request)))
        }
    }

    private func send(_ outcome: Outcome) -> MHD_Result {
        stage = .answered
        switch outcome {
        case .prepared(let prepared) where !isLast && !server.isClosing:
            guard connection.move(from: .answering, to: .sending) else { return .NO }
            return unsafe queue(prepared.status, prepared.handle, prepared.byteCount)
        case .prepared(let prepared): return send(prepared.response)
        case .response(let response): return send(response)
        case .failure(let error): return send(server.response(to: error, nil))
        }
    }

    private func send(_ response: Response) -> MHD_Result {
        var response = response
        var reader: StreamReader?
        if case .stream(let body) = response.body {
            do {
                stream = (try server.addStream(body, connection.descriptor), body)
                reader = StreamReader(body, connection, mhd)
            } catch {
                body.closed()
                response = server.response(to: error, nil)
            }
        }
        // The handler blocked for longer than the server waits: libmicrohttpd sends nothing more.
        if server.isClosing {
            if connection.move(from: .answering, to: .cut) { connection.sendLast(response) }
            return .NO
        }
        let made = unsafe response.makeHandle(closing: isLast, stream: reader)
        if unsafe made == nil {
            server.logger.error("A response could not be made", metadata: ["status": "\(response.status)"])
            response = Response(.internalError)
        }
        guard let handle = unsafe made ?? response.makeHandle(closing: isLast) else { return .NO }
        defer { unsafe MHD_destroy_response(handle) }
        // libmicrohttpd 0.9.75 ends a chunked answer to HEAD with the last chunk that a body would have.
        if reader != nil, method == .head { unsafe mhd_shim_do_not_chunk(handle) }
        let next: Connection.Phase = reader == nil ? .sending : .streaming
        guard connection.move(from: .answering, to: next) else { return .NO }
        return unsafe queue(response.status, handle, response.byteCount)
    }

    private func queue(_ status: Int, _ handle: OpaquePointer, _ bytes: Int) -> MHD_Result {
        self.status = status
        sentBytes = method == .head ? 0 : bytes
        return unsafe MHD_queue_response(mhd.pointer, UInt32(status), handle)
    }

    /// libmicrohttpd gave the connection up without completing the request, which it does when it was refused
    /// a page of its own: see `OwnErrorPage`. The socket is open still.
    func abandon() {
        if connection.move(from: .receiving, to: .cut) {
            server.watch.linger(connection.descriptor)
            connection.sendLast(
                server.response(
                    to: HTTPError.badRequest("Content-Length must be a number, and a small one."), nil))
        }
        complete()
    }

    /// libmicrohttpd is done with the request, answered or not.
    func complete() {
        if let (id, stream) = stream {
            server.streams.remove(id)
            stream.closed()
        }
        server.release(reservedBytes)
        reservedBytes = 0
        if case .deferred(let deferral) = stage { deferral.settle(.failure(HTTPError.stopping)) }
        if status != 0 {
            server.counters.count(status: status, bytes: sentBytes)
            server.accessLog?(
                AccessLogEntry(
                    method: method, target: String(decoding: target, as: UTF8.self), status: status,
                    bytes: sentBytes, microseconds: mhd_shim_microseconds() - startedMicroseconds))
        }
        connection.rest()
        server.noteCompletion()
    }
}

/// Carries `authorize`'s answer out of the routing.
struct EarlyAnswer: Error {
    let response: Response
}

// MARK: - Reading the head

extension Exchange {
    private func readHead(
        method: UnsafePointer<CChar>, version: UnsafePointer<CChar>
    ) throws(HTTPError) -> Request {
        let limits = server.limits
        let methodBytes = unsafe UnsafeBufferPointer<UInt8>(cString: method)
        let versionBytes = unsafe UnsafeBufferPointer<UInt8>(cString: version)
        self.method = unsafe Method(bytes: methodBytes)
        if target.count > limits.targetBytes {
            throw .uriTooLong(limitBytes: limits.targetBytes)
        }
        let isVersion11 = unsafe versionBytes.spells("HTTP/1.1")
        let isVersion10 = unsafe versionBytes.spells("HTTP/1.0")
        guard isVersion11 || isVersion10 else {
            throw .versionNotSupported
        }
        // One space on either side of the target, and nothing cut out of it by a NUL.
        let methodAddress = UInt(bitPattern: method)
        let versionAddress = UInt(bitPattern: version)
        guard unsafe self.method != .other || methodBytes.allSatisfy(\.isTokenCharacter),
            methodAddress + UInt(methodBytes.count) + 1 == targetAddress,
            targetAddress + UInt(target.count) + 1 == versionAddress
        else { throw .badRequest("The request line must be method, target and version.") }

        let offset = versionBytes.count + 2
        let end = methodAddress + UInt(unsafe mhd_shim_header_size(mhd.pointer))
        guard end > versionAddress + UInt(offset) else { throw .badRequest("Header lines must end with CRLF.") }
        let section = unsafe UnsafeBufferPointer(
            start: version + offset, length: Int(end - versionAddress) - offset)
        let last = unsafe connection.last
        if let last, unsafe last.headers.isRepeated(in: section, isVersion11: isVersion11, mhd) {
            return last.isTo(self.method, target) ? last : try read(with: last.headers)
        }
        return try read(with: unsafe RequestHeaders(section, isVersion11: isVersion11, limits, mhd))
    }

    private func read(with headers: RequestHeaders) throws(HTTPError) -> Request {
        let target = try Target(target, method: method)
        let request = Request(
            method: method, target: target, headers: headers, peer: connection.peer,
            match: server.router.match(method, target.segments))
        let isKept = self.target.count + headers.bytes.count <= Self.rememberedBytes
        unsafe connection.last = isKept ? request : nil
        return request
    }

    /// A longer request isn't kept for the next.
    private static let rememberedBytes = 2048
}
