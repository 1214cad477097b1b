internal import Dispatch
internal import HTTPServer
internal import Reconciler
internal import Synchronization
internal import TunnelStore
internal import Tunnels

/// Lets a request with an `Idempotency-Key` be done once, and gives its answer again to retries.
final class Retries: Sendable {
    fileprivate struct Key: Hashable {
        let actor: String
        let key: String
    }

    private let history: TunnelStore
    private let timing: Timing
    /// The requests that are being carried out.
    private let running = Mutex<[Key: [UInt8]]>([:])
    private let queue = DispatchQueue(label: "retries")

    init(history: TunnelStore, timing: Timing) {
        self.history = history
        self.timing = timing
    }

    /// - Parameter perform: carries the request out; the attempt is nil where it has no key.
    func once(_ request: Request, _ perform: @escaping @Sendable (Attempt?) throws -> Answer) throws -> Answer {
        guard let text = try request.idempotencyKey() else { return try perform(nil) }
        let key = Key(actor: request.author, key: text)
        return .deferred { responder in
            let work: @Sendable () -> Void = {
                do {
                    let attempt = try self.begin(key, request.digest)
                    try self.carryOut(attempt, for: key, responder, perform)
                } catch {
                    responder.fail(error)
                }
            }
            // There is a digest to be made, of megabytes maybe.
            if responder.mayBlock { work() } else { self.queue.async(execute: work) }
        }
    }

    private func begin(_ key: Key, _ digest: [UInt8]) throws -> Attempt {
        let first: [UInt8]? = running.withLock { running in
            if let first = running[key] { return first }
            running[key] = digest
            return nil
        }
        if let first { throw Problem(retryOfRunning: first == digest) }
        return Attempt(actor: key.actor, key: key.key, digest: digest) { [weak self] in
            self?.running.withLock { _ = $0.removeValue(forKey: key) }
        }
    }

    /// To be called when the attempt has begun: an answer is kept before its request is done.
    private func carryOut(
        _ attempt: Attempt, for key: Key, _ responder: Responder, _ perform: (Attempt?) throws -> Answer
    ) throws {
        do {
            if let answer = try keptAnswer(to: key, attempt.digest) {
                attempt.end()
                return responder.answer(answer)
            }
            switch try perform(attempt) {
            case .response(let response): responder.answer(response)
            case .prepared(let response): responder.answer(response)
            case .deferred(let begin): begin(responder)
            }
        } catch {
            attempt.end()
            throw error
        }
    }

    private func keptAnswer(to key: Key, _ digest: [UInt8]) throws -> Response? {
        guard let kept = try history.answer(to: key.key, of: key.actor),
            timing.now().milliseconds - kept.at.milliseconds < KeptAnswer.lifetimeMilliseconds
        else { return nil }
        guard kept.digest == digest else { throw Problem(retryOfRunning: false) }
        var response = Response(kept)
        response.headers.append(Response.Header("Idempotent-Replayed", "true"))
        return response
    }
}

/// A request with an `Idempotency-Key` while it is carried out: until `end`, or until nobody holds it.
final class Attempt: Sendable {
    private let actor: String
    private let key: String
    fileprivate let digest: [UInt8]
    /// nil when it has ended: another attempt may have the key then.
    private let onEnd: Mutex<(@Sendable () -> Void)?>
    private let response = Mutex<Response?>(nil)

    fileprivate init(actor: String, key: String, digest: [UInt8], onEnd: @escaping @Sendable () -> Void) {
        self.actor = actor
        self.key = key
        self.digest = digest
        self.onEnd = Mutex(onEnd)
    }

    deinit { end() }

    /// Has the response kept with what it is to.
    func receipt<Outcome>(_ respond: @escaping @Sendable (Outcome) -> Response) -> Receipt<Outcome> {
        { outcome, time in
            let response = respond(outcome)
            self.response.withLock { $0 = response }
            return response.kept(actor: self.actor, key: self.key, digest: self.digest, at: time)
        }
    }

    /// Lets retries come; to be called before the answer is given.
    ///
    /// - Returns: the response that was kept, if one was.
    @discardableResult
    func end() -> Response? {
        let onEnd = onEnd.withLock { onEnd in
            defer { onEnd = nil }
            return onEnd
        }
        onEnd?()
        return response.withLock { $0 }
    }
}

extension Responder {
    /// Answers what became of a request, and lets its retries come.
    func answer<Outcome, Refusal: Error>(
        _ result: Result<Outcome, Refusal>, _ attempt: Attempt?, _ respond: (Outcome) -> Response
    ) {
        let kept = attempt?.end()
        switch result {
        case .success(let outcome): answer(kept ?? respond(outcome))
        case .failure(let refusal): fail(refusal)
        }
    }
}

extension Problem {
    fileprivate init(retryOfRunning isSame: Bool) {
        if isSame {
            self.init(
                .idempotencyKeyInUse, "The first request with this key isn't answered yet; try again in a second.")
            headers = [Response.Header("Retry-After", "1")]
        } else {
            self.init(.idempotencyKeyReused, "Another request had this key: another path, query or body.")
        }
    }
}

extension Response {
    fileprivate init(_ kept: KeptAnswer) {
        self.init(
            status: kept.status, headers: kept.headers.map { Header($0.name, $0.value) },
            body: kept.body.isEmpty ? .none : .bytes(kept.body))
    }

    fileprivate func kept(actor: String, key: String, digest: [UInt8], at time: Timestamp) -> KeptAnswer {
        var content: [UInt8] = []
        if case .bytes(let bytes) = body { content = bytes }
        return KeptAnswer(
            actor: actor, key: key, digest: digest, at: time, status: status,
            headers: headers.map { KeptAnswer.Header(name: $0.name, value: $0.value) }, body: content)
    }
}
