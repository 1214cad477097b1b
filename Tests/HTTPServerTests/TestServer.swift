import Dispatch
import HTTPServer
import Logging
import Synchronization

/// Runs a server on a free port of loopback for the length of `body`.
func withServer(
    _ routes: [Route], limits: Limits = Limits(), grace: Duration = .seconds(5),
    authorize: @escaping Server.Authorize = { _, _ in nil }, onError: Server.OnError? = nil,
    accessLog: Server.AccessLog? = nil, logger: Logger = silent,
    _ body: (Server, ListenAddress) throws -> Void
) throws {
    let server = try Server(
        router: Router(routes), limits: limits, logger: logger, authorize: authorize, onError: onError,
        accessLog: accessLog)
    defer { server.stop(grace: grace) }
    try body(server, try server.listen(on: ListenAddress("127.0.0.1:0")))
}

let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

func text(_ text: String, status: Int = 200) -> Response {
    Response(status: status, contentType: "text/plain", body: Array(text.utf8))
}

/// Answers with what the server made of the request.
let echo = Route(.post, "/echo") { .response(text(String(decoding: $0.body, as: UTF8.self))) }
let hello = Route(.get, "/hello") { _ in .response(text("hello")) }

/// Records that a handler ran, and waits for things that happen on other threads; every wait is bounded.
final class Recorder<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])
    private let arrived = DispatchSemaphore(value: 0)

    struct NothingCame: Error {}

    func record(_ value: Value) {
        values.withLock { $0.append(value) }
        arrived.signal()
    }

    var all: [Value] { values.withLock { $0 } }

    /// The next value, in the order of arrival.
    func next() throws -> Value {
        guard arrived.wait(timeout: .now() + 20) == .success else { throw NothingCame() }
        return values.withLock { $0.removeFirst() }
    }
}

struct RecordingLog: LogHandler {
    let recorder: Recorder<String>
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { recorder.record("\(event.level): \(event.message)") }
}
