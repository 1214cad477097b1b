import Glibc
import HTTPServer
import Testing

@Suite struct LimitTests {
    private let served = Recorder<String>()

    private var upload: Route {
        Route(.post, "/echo") { [served] request in
            served.record("served")
            return .response(text(String(decoding: request.body, as: UTF8.self)))
        }
    }

    private func limits(_ change: (inout Limits) -> Void) -> Limits {
        var limits = Limits()
        change(&limits)
        return limits
    }

    @Test func aBodyUpToTheLimitIsTaken() throws {
        let limits = limits { $0.bodyBytes = 100_000 }
        let body = String(repeating: "x", count: 100_000)
        let done = Recorder<AccessLogEntry>()
        try withServer([upload], limits: limits, accessLog: done.record) { server, address in
            let client = try RawClient(address)
            client.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n" + body)
            #expect(try client.answer().text == body)
            client.send("POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
            client.send("C350\r\n\(body.prefix(50_000))\r\nC350\r\n\(body.prefix(50_000))\r\n0\r\n\r\n")
            #expect(try client.answer().text == body)
            for _ in 0..<2 { #expect(try done.next().bytes == 100_000) }
            #expect(server.statistics.receivedBytes == 200_000)
            #expect(server.statistics.sentBytes == 200_000)
        }
    }

    @Test(arguments: ["100001", "9223372036854775807", "18446744073709551615"])
    func anAnnouncedBodyOverTheLimitIsRefusedUnread(_ length: String) throws {
        try withServer([upload], limits: limits { $0.bodyBytes = 100_000 }) { _, address in
            let client = try RawClient(address)
            client.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: \(length)\r\n\r\n")
            let answer = try client.answer()
            #expect(answer.status == 413)
            #expect(answer["connection"] == "close")
            #expect(try client.isClosedWithoutMore())
        }
        #expect(served.all == [])
    }

    /// libmicrohttpd refuses by itself what isn't a number of 64 bits, and would send its answer's head twice.
    @Test(arguments: ["99999999999999999999", "1x", "x", "-1", "1 1", ""])
    func aLengthThatIsNoneIsRefusedOnce(_ length: String) throws {
        try withServer([upload]) { server, address in
            let client = try RawClient(address)
            client.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: \(length)\r\n\r\nhello")
            let answer = try client.answer()
            #expect(answer.status == 400)
            #expect(answer["connection"] == "close")
            #expect(answer.text.contains("Content-Length"))
            #expect(try client.isClosedWithoutMore())
            #expect(server.statistics.responsesByClass == [0, 0, 0, 1, 0])
        }
        #expect(served.all == [])
    }

    /// Each would be a record in libmicrohttpd's memory, which holds some hundred.
    @Test func manyQueryItemsAndCookiesAreNoBurden() throws {
        try withServer([hello]) { _, address in
            let client = try RawClient(address)
            for items in [
                String(repeating: "a&", count: 4000), String(repeating: "a=b&", count: 2000), "", "a",
            ] {
                #expect(try client.get("/hello?\(items)").text == "hello")
            }
            for cookies in [String(repeating: "a;", count: 7000), "a=\"", "\"", "a=\"b\"; c", ""] {
                #expect(try client.get("/hello", headers: "Cookie: \(cookies)\r\n").text == "hello")
            }
        }
    }

    @Test func aClientThatHangsUpInTheMiddleIsLetGo() throws {
        try withServer([upload], limits: limits { $0.responseTime = .milliseconds(40) }) { _, address in
            for start in ["POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nab", "GET /he", ""] {
                let client = try RawClient(address)
                client.send(start)
                client.finishSending()
                #expect(try client.isClosedWithoutMore())
            }
        }
    }

    @Test func aChunkedBodyOverTheLimitIsRefusedWhenItPassesIt() throws {
        try withServer([upload], limits: limits { $0.bodyBytes = 1000 }) { server, address in
            let client = try RawClient(address)
            client.send("POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
            client.send("3e9\r\n" + String(repeating: "x", count: 1001))
            let answer = try client.answer()
            #expect(answer.status == 413)
            #expect(answer["connection"] == "close")
            #expect(try client.isClosedWithoutMore())
            #expect(server.statistics.responsesByClass[3] == 1)
        }
        #expect(served.all == [])
    }

    /// Closing a socket with bytes unread would reset it, and the client might never see the answer.
    @Test func theRefusalReachesAClientThatIsStillSending() throws {
        try withServer([upload], limits: limits { $0.bodyBytes = 1000 }) { _, address in
            let client = try RawClient(address)
            client.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 2000000\r\n\r\n")
            client.send([UInt8](repeating: 0x78, count: 2_000_000))
            #expect(try client.answer().status == 413)
            let chunked = try RawClient(address)
            chunked.send("POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n1e8480\r\n")
            chunked.send([UInt8](repeating: 0x78, count: 2_000_000))
            #expect(try chunked.answer().status == 413)
        }
    }

    @Test func anUnauthorizedBodyIsNotAskedFor() throws {
        let authorize: Server.Authorize = { request, _ in
            #expect(request.body.isEmpty)
            return request.headers["authorization"] == nil ? text("who?", status: 401) : nil
        }
        try withServer([upload], authorize: authorize) { _, address in
            let client = try RawClient(address)
            let head = "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\nExpect: 100-continue\r\n"
            client.send(head + "\r\n")
            let answer = try client.answer()
            #expect(answer.status == 401)
            #expect(answer["connection"] == "close")
            #expect(try client.isClosedWithoutMore())

            let allowed = try RawClient(address)
            allowed.send(head + "Authorization: x\r\n\r\n")
            #expect(try allowed.answer().status == 100)
            allowed.send("hi")
            #expect(try allowed.answer().text == "hi")
            allowed.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\nExpect: 200-ok\r\n\r\n")
            #expect(try allowed.answer().status == 417)
        }
        #expect(served.all == ["served"])
    }

    @Test func aLongTargetIsRefused() throws {
        try withServer([hello], limits: limits { $0.targetBytes = 100 }) { _, address in
            let fits = "/" + String(repeating: "a", count: 99)
            #expect(try RawClient(address).get(fits).status == 404)
            let answer = try RawClient(address).get(fits + "b")
            #expect(answer.status == 414)
            #expect(answer["connection"] == "close")
        }
    }

    /// What doesn't fit libmicrohttpd's memory it refuses by itself.
    @Test(arguments: [8193, 20_000, 33_000, 100_000])
    func anyLongTargetIsRefusedInOurWords(_ count: Int) throws {
        try withServer([hello]) { _, address in
            let client = try RawClient(address)
            client.send("GET /\(String(repeating: "a", count: count - 1)) HTTP/1.1\r\nHost: t\r\n\r\n")
            let answer = try client.answer()
            #expect(answer.status == 414)
            #expect(answer["content-type"] == "text/plain; charset=utf-8")
            #expect(!answer.text.contains("<"))
        }
    }

    @Test(arguments: [16_400, 33_000, 100_000])
    func anyLargeHeaderIsRefusedInOurWords(_ count: Int) throws {
        try withServer([hello]) { _, address in
            let answer = try RawClient(address).get(
                "/hello", headers: "X: \(String(repeating: "a", count: count))\r\n")
            #expect(answer.status == 431)
            #expect(answer["content-type"] == "text/plain; charset=utf-8")
        }
    }

    @Test func headersUpToTheLimitsAreTaken() throws {
        try withServer([hello]) { _, address in
            let client = try RawClient(address)
            #expect(
                try client.get("/hello", headers: "X: \(String(repeating: "a", count: 16_000))\r\n").status
                    == 200)
            let many = (1...63).map { "X\($0): \(String(repeating: "v", count: 200))\r\n" }.joined()
            let target = "/hello?" + String(repeating: "q", count: 8000)
            #expect(try client.get(target, headers: many).status == 200)
            let refused = try client.get("/hello", headers: many + "X64: v\r\n")
            #expect(refused.status == 431)
            #expect(refused["connection"] == "close")
        }
    }

    @Test func aRequestThatTakesTooLongIsCut() throws {
        let limits = limits { $0.requestTime = .milliseconds(200) }
        try withServer([upload], limits: limits) { _, address in
            let inHead = try RawClient(address)
            inHead.send("GET /hello HTTP/1.1\r\nHost")
            let inBody = try RawClient(address)
            inBody.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nab")
            for client in [inHead, inBody] {
                let answer = try client.answer()
                #expect(answer.status == 408)
                #expect(answer["connection"] == "close")
                #expect(try client.isClosedWithoutMore())
            }
        }
        #expect(served.all == [])
    }

    /// One byte at a time is never idle: only the whole request's time stops it.
    @Test(arguments: [
        ("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n", 408),
        ("GET /hello HTTP/1.1\r\nX: ", 408), ("G", nil),
    ])
    func aSlowSenderIsCut(_ start: String, _ status: Int?) throws {
        let limits = limits {
            $0.requestTime = .milliseconds(300)
            $0.inactivity = .milliseconds(300)
        }
        try withServer([upload], limits: limits) { _, address in
            let client = try RawClient(address)
            client.send(start)
            var event = pollfd(fd: client.descriptor, events: Int16(POLLIN), revents: 0)
            var sent = 0
            while sent < 1000, poll(&event, 1, 20) == 0 {
                client.send("x")
                sent += 1
            }
            #expect(sent > 0 && sent < 1000)
            // Before its request line is complete, it can't be told from one that just stays.
            let answer = try? client.answer()
            #expect(answer?.status == status)
        }
        #expect(served.all == [])
    }

    @Test func anIdleConnectionIsClosed() throws {
        try withServer([hello], limits: limits { $0.inactivity = .milliseconds(200) }) { _, address in
            let client = try RawClient(address)
            #expect(try client.get("/hello").status == 200)
            #expect(try client.isClosedWithoutMore())
        }
    }

    @Test func aSlowReaderOfAnAnswerIsCut() throws {
        let large = Route(.get, "/large") { _ in
            .response(Response(status: 200, body: .bytes([UInt8](repeating: 0x78, count: 32 << 20))))
        }
        let done = Recorder<AccessLogEntry>()
        let limits = limits { $0.responseTime = .milliseconds(200) }
        try withServer([large], limits: limits, accessLog: done.record) { _, address in
            let client = try RawClient(address, receiveBuffer: 4096)
            client.send("GET /large HTTP/1.1\r\nHost: t\r\n\r\n")
            // Not one byte is read until the server has hung up.
            #expect(try done.next().status == 200)
            #expect(try client.rest().count < 32 << 20)
        }
    }

    @Test func connectionsFromOneAddressAreBounded() throws {
        try withServer([hello], limits: limits { $0.connectionsPerAddress = 3 }) { server, address in
            let open = try (0..<3).map { _ in try RawClient(address) }
            for client in open { #expect(try client.get("/hello").status == 200) }
            let fourth = try RawClient(address)
            fourth.send("GET /hello HTTP/1.1\r\nHost: t\r\n\r\n")
            #expect(try fourth.isClosedWithoutMore())
            #expect(server.statistics.openConnections == 3)
            #expect(try open[0].get("/hello").status == 200)
        }
    }

    @Test func connectionsBeyondTheLimitWaitForOneToClose() throws {
        // One for each thread: libmicrohttpd shares the limit out among them.
        var limits = Limits()
        limits.connections = 2
        let server = try Server(router: Router([hello]), limits: limits, logger: silent)
        defer { server.stop() }
        let directory = try TemporaryDirectory()
        let address = try server.listen(on: .unix(path: directory.path + "/s"))
        var first: RawClient? = try RawClient(address)
        let second = try RawClient(address)
        #expect(try first?.get("/hello").status == 200)
        #expect(try second.get("/hello").status == 200)
        let third = try RawClient(address)
        third.send("GET /hello HTTP/1.1\r\nHost: t\r\n\r\n")
        #expect(try second.get("/hello").status == 200)
        #expect(server.statistics.openConnections == 2)
        first = nil
        #expect(try third.answer().status == 200)
    }
}
