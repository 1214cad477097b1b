import Dispatch
import Glibc
import Testing

@testable import HTTPServer

/// A handler that blocks its thread, as it may for the only connection.
@Suite struct MayBlockTests {
    private let allowed = Recorder<Bool>()
    private let gate = DispatchSemaphore(value: 0)

    private var blocking: Route {
        Route(.get, "/blocking") { [allowed, gate] _ in
            .deferred { responder in
                allowed.record(responder.mayBlock)
                if responder.mayBlock { _ = gate.wait(timeout: .now() + 20) }
                responder.answer(text("done"))
            }
        }
    }

    @Test(arguments: [false, true])
    func whoComesMeanwhileIsServedByAnotherThread(_ overUnix: Bool) throws {
        let server = try Server(router: Router([blocking, hello]), logger: silent)
        defer { server.stop() }
        let directory = try TemporaryDirectory()
        let address = try server.listen(
            on: overUnix ? .unix(path: directory.path + "/s") : ListenAddress("127.0.0.1:0"))
        let first = try RawClient(address)
        for _ in 0..<20 {
            first.send("GET /blocking HTTP/1.1\r\nHost: t\r\n\r\n")
            #expect(try allowed.next())
            var others: [RawClient]? = try (0..<20).map { _ in try RawClient(address) }
            for other in others ?? [] {
                #expect(try other.get("/hello").text == "hello")
                #expect(try other.get("/blocking").text == "done")
                #expect(try allowed.next() == false)
            }
            others = nil
            gate.signal()
            #expect(try first.answer().text == "done")
            // Those that left are still connections until libmicrohttpd has noticed.
            while server.statistics.openConnections > 1 { #expect(try first.get("/hello").text == "hello") }
        }
    }

    /// The handler takes longer than the server waits for it.
    @Test func whoWaitsWhenTheServerStopsIsAnswered() throws {
        let server = try Server(router: Router([blocking]), logger: silent)
        let address = try server.listen(on: ListenAddress("127.0.0.1:0"))
        let client = try RawClient(address)
        client.send("GET /blocking HTTP/1.1\r\nHost: t\r\n\r\n")
        #expect(try allowed.next())
        let opener = Thread { [gate] in
            while !server.isClosing { sched_yield() }
            gate.signal()
        }
        server.stop(grace: .milliseconds(50))
        opener.join()
        #expect(try client.answer().status == 503)
        #expect(try client.isClosedWithoutMore())
    }

    @Test func withTwoConnectionsNoneMay() throws {
        try withServer([blocking, hello]) { _, address in
            let clients = try (0..<2).map { _ in try RawClient(address) }
            for client in clients { #expect(try client.get("/hello").text == "hello") }
            for client in clients {
                #expect(try client.get("/blocking").text == "done")
                #expect(try allowed.next() == false)
            }
        }
    }
}
