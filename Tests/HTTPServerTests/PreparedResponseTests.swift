import HTTPServer
import Synchronization
import Testing

@Suite struct PreparedResponseTests {
    @Test func itIsSentManyTimes() throws {
        let prepared = try #require(PreparedResponse(text("prepared", status: 201)))
        try withServer([Route(.get, "/p") { _ in .prepared(prepared) }]) { _, address in
            let client = try RawClient(address)
            for _ in 0..<100 {
                let answer = try client.get("/p")
                #expect(answer.status == 201)
                #expect(answer.text == "prepared")
            }
            #expect(try client.get("/p", method: "HEAD")["content-length"] == "8")
        }
    }

    @Test func whatCannotBePreparedIsNil() {
        #expect(PreparedResponse(Response(status: 200, body: .stream(ResponseStream()))) == nil)
        #expect(PreparedResponse(Response(status: 200, headers: [.init("A", "b\nc")])) == nil)
    }

    /// Each answer must be one of those that were current, whole, while they are replaced as fast as can be.
    @Test func itMayBeReplacedWhileItIsSent() throws {
        @Sendable func make(_ number: Int) -> PreparedResponse? {
            let body = [UInt8](repeating: UInt8(number % 251), count: 200_000)
            return PreparedResponse(Response(status: 200, body: .bytes(body)))
        }
        let current = Current(try #require(make(0)))
        try withServer([Route(.get, "/p") { _ in .prepared(current.response) }]) { _, address in
            let replacer = Thread {
                var number = 1
                while !current.isDone {
                    if let next = make(number) { current.response = next }
                    number += 1
                }
            }
            defer {
                current.isDone = true
                replacer.join()
            }
            let clients = try (0..<8).map { _ in try RawClient(address) }
            for _ in 0..<100 {
                for client in clients { client.send("GET /p HTTP/1.1\r\nHost: t\r\n\r\n") }
                for client in clients {
                    let body = try client.answer().body
                    #expect(body.count == 200_000)
                    #expect(body.first == body.last)
                }
            }
        }
    }
}

/// What is prepared now, for the server's threads and the one that replaces it.
private final class Current: Sendable {
    private let state: Mutex<(response: PreparedResponse, isDone: Bool)>

    init(_ response: PreparedResponse) { state = Mutex((response, false)) }

    var response: PreparedResponse {
        get { state.withLock { $0.response } }
        set { state.withLock { $0.response = newValue } }
    }

    var isDone: Bool {
        get { state.withLock { $0.isDone } }
        set { state.withLock { $0.isDone = newValue } }
    }
}
