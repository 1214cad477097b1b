import HTTPServer
import Logging
import Testing

@Suite struct DeferredTests {
    private let waiting = Recorder<(name: String, responder: Responder)>()

    private var slow: Route {
        Route(.get, "/slow/{name}") { [waiting] request in
            let name = request.parameters["name"] ?? ""
            return .deferred { waiting.record((name, $0)) }
        }
    }

    @Test func manyAreAnsweredInAnyOrderWithoutThreads() throws {
        try withServer([slow, hello]) { server, address in
            let clients = try (0..<100).map { _ in try RawClient(address) }
            for (index, client) in clients.enumerated() {
                client.send("GET /slow/\(index) HTTP/1.1\r\nHost: t\r\n\r\n")
            }
            let responders = try clients.map { _ in try waiting.next() }
            #expect(server.statistics.deferredAnswers == 100)
            // The threads are free: others are served meanwhile.
            #expect(try RawClient(address).get("/hello").text == "hello")
            for (name, responder) in responders.shuffled() { responder.answer(text(name)) }
            for (index, client) in clients.enumerated() { #expect(try client.answer().text == "\(index)") }
            #expect(server.statistics.deferredAnswers == 0)
            #expect(try clients[0].get("/hello").text == "hello")
        }
    }

    @Test func whoWaitsIsToldWhenTheClientLeaves() throws {
        let left = Recorder<String>()
        let route = Route(.get, "/wait/{name}") { [waiting] request in
            let name = request.parameters["name"] ?? ""
            return .deferred { responder in
                responder.onDisconnect { left.record(name) }
                waiting.record((name, responder))
            }
        }
        try withServer([route, hello]) { server, address in
            for (name, leave) in [("a", { $0.reset() }), ("b", { $0.finishSending() })]
                as [(String, (RawClient) -> Void)]
            {
                let client = try RawClient(address)
                client.send("GET /wait/\(name) HTTP/1.1\r\nHost: t\r\n\r\n")
                let responder = try waiting.next().responder
                leave(client)
                #expect(try left.next() == name)
                responder.answer(text("late"))
                // Who only has nothing more to say still listens.
                if name == "b" { #expect(try client.answer().text == "late") }
            }
            // One that was answered isn't told, nor is the next request on its connection.
            let client = try RawClient(address)
            for name in ["c", "d"] {
                client.send("GET /wait/\(name) HTTP/1.1\r\nHost: t\r\n\r\n")
                let responder = try waiting.next().responder
                guard name == "c" else {
                    client.reset()
                    #expect(try left.next() == "d")
                    continue
                }
                responder.answer(text("c"))
                #expect(try client.answer().text == "c")
            }
            #expect(left.all == [])
            #expect(try RawClient(address).get("/hello").text == "hello")
        }
    }

    @Test func answeringAtOnceFromTheHandlerWorks() throws {
        let prepared = try #require(PreparedResponse(text("prepared")))
        let now = Route(.get, "/now") { _ in .deferred { $0.answer(prepared) } }
        try withServer([now]) { _, address in
            let client = try RawClient(address)
            for _ in 0..<100 { #expect(try client.get("/now").text == "prepared") }
        }
    }

    @Test func onlyTheFirstAnswerCounts() throws {
        try withServer([slow, hello]) { _, address in
            let client = try RawClient(address)
            client.send("GET /slow/a HTTP/1.1\r\nHost: t\r\n\r\n")
            let responder = try waiting.next().responder
            responder.answer(text("first"))
            responder.answer(text("second"))
            responder.fail(HTTPError.notFound)
            #expect(try client.answer().text == "first")
            responder.answer(text("third"))
            #expect(try client.get("/hello").text == "hello")
        }
    }

    @Test func aFailureGoesThroughOnError() throws {
        let onError: Server.OnError = { error, _ in text("\(error)", status: 599) }
        try withServer([slow], onError: onError) { _, address in
            let client = try RawClient(address)
            client.send("GET /slow/a HTTP/1.1\r\nHost: t\r\n\r\n")
            try waiting.next().responder.fail(HTTPError.notFound)
            #expect(try client.answer().status == 599)
        }
    }

    @Test func aDroppedResponderAnswers500AndIsLogged() throws {
        let log = Recorder<String>()
        let logger = Logger(label: "test") { _ in RecordingLog(recorder: log) }
        try withServer([Route(.get, "/drop") { _ in .deferred { _ in } }, slow], logger: logger) {
            _, address in
            let client = try RawClient(address)
            #expect(try client.get("/drop").status == 500)
            client.send("GET /slow/a HTTP/1.1\r\nHost: t\r\n\r\n")
            _ = try waiting.next()
            #expect(try client.answer().status == 500)
            #expect(log.all.filter { $0.contains("dropped") }.count == 2)
        }
    }

    @Test func aClientThatLeavesMeanwhileDoesNoHarm() throws {
        try withServer([slow, hello]) { server, address in
            for _ in 0..<20 {
                let client = try RawClient(address)
                client.send("GET /slow/a HTTP/1.1\r\nHost: t\r\n\r\n")
                let responder = try waiting.next().responder
                client.reset()
                responder.answer(text("too late"))
            }
            #expect(server.statistics.deferredAnswers == 0)
            #expect(try RawClient(address).get("/hello").text == "hello")
        }
    }

    @Test func tooManyAreRefused() throws {
        var limits = Limits()
        limits.deferredAnswers = 2
        try withServer([slow], limits: limits) { _, address in
            let clients = try (0..<2).map { _ in try RawClient(address) }
            for client in clients { client.send("GET /slow/a HTTP/1.1\r\nHost: t\r\n\r\n") }
            let responders = try clients.map { _ in try waiting.next().responder }
            let refused = try RawClient(address).get("/slow/b")
            #expect(refused.status == 503)
            #expect(refused["retry-after"] == "1")
            for responder in responders { responder.answer(text("done")) }
            for client in clients { #expect(try client.answer().text == "done") }
        }
    }

    @Test func stoppingWaitsForWhatIsDue() throws {
        let server = try Server(router: Router([slow]), logger: silent)
        let address = try server.listen(on: ListenAddress("127.0.0.1:0"))
        let client = try RawClient(address)
        client.send("GET /slow/a HTTP/1.1\r\nHost: t\r\n\r\n")
        let responder = try waiting.next().responder
        let stopped = Recorder<Bool>()
        let thread = Thread {
            server.stop(grace: .seconds(20))
            stopped.record(true)
        }
        responder.answer(text("in time"))
        #expect(try client.answer().text == "in time")
        #expect(try stopped.next())
        thread.join()
        #expect(throws: RawClient.Failure.self) { try RawClient(address) }
    }

    @Test func stoppingAnswers503ToWhatIsLate() throws {
        let server = try Server(router: Router([slow]), logger: silent)
        let address = try server.listen(on: ListenAddress("127.0.0.1:0"))
        let clients = try (0..<10).map { _ in try RawClient(address) }
        for client in clients { client.send("GET /slow/a HTTP/1.1\r\nHost: t\r\n\r\n") }
        let responders = try clients.map { _ in try waiting.next().responder }
        server.stop(grace: .milliseconds(50))
        for client in clients {
            #expect(try client.answer().status == 503)
            #expect(try client.isClosedWithoutMore())
        }
        for responder in responders { responder.answer(text("too late")) }
    }
}
