import HTTPServer
import Testing

/// Requests that two servers could read differently. None may be served, nor what is hidden behind it.
@Suite struct FramingTests {
    private static let hidden = "GET /hidden HTTP/1.1\r\nHost: test\r\n\r\n"

    /// Sends the bytes and gives the answers, and which routes ran.
    private func send(_ request: String, closing: Bool = true) throws -> (answers: [Int], served: [String]) {
        let served = Recorder<String>()
        let routes = [(Method.get, "/hidden"), (.post, "/a"), (.get, "/a")].map { method, path in
            Route(method, path) { _ in
                served.record("\(method.rawValue) \(path)")
                return .response(text("served"))
            }
        }
        var answers: [Int] = []
        try withServer(routes) { _, address in
            let client = try RawClient(address)
            client.send(request)
            if closing { client.finishSending() }
            while let answer = try? client.answer() { answers.append(answer.status) }
        }
        return (answers, served.all)
    }

    @Test(arguments: [
        "POST /a HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\nContent-Length: 4\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: test\r\nContent-Length : 4\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: test\r\nContent-Length\t: 4\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: test\r\n Content-Length: 4\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: test\r\nContent-Length: +0\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: test\r\nContent-Length: -0\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: test\r\nContent-Length: 0x0\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: test\r\nContent-Length: 0, 0\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: test\r\nContent-Length:\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: identity\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: test\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: test\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /a HTTP/1.1\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: test\r\nHost: test\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: test\r\nHost: other\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: test\r\nX: a\r\n b\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: test\r\nX: a\r\n\tb\r\nY: c\r\n\r\n",
        "GET /a HTTP/1.1\nHost: test\n\n",
        "GET /a HTTP/1.1\nHost: test\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: test\nX: b\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: test\r\nX: b\n\r\n",
        "GET /a HTTP/1.1\r\nHost: test\r\nX: b\r\n\n",
        "GET /a HTTP/1.1\r\nHost: test\r\nX: a\0b\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: test\r\nX\0: b\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: test\r\nX: a\u{1}b\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: test\r\nX: a\u{7F}\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: test\r\nX: a\rb\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: test\r\nX Y: b\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: test\r\n: b\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: test\r\nX(: b\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: test\r\nno colon\r\n\r\n",
        "GET  /a HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /a  HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /a HTTP/1.1 \r\nHost: test\r\n\r\n",
        "GET\t/a HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /a\0b HTTP/1.1\r\nHost: test\r\n\r\n",
        "G\0ET /a HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: test\r\n\r\n",
        "G(T /a HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /a http/1.1\r\nHost: test\r\n\r\n",
        "GET /a\r\nHost: test\r\n\r\n",
        "GET /a HTTP/1.1x\r\nHost: test\r\n\r\n",
    ])
    func ambiguousRequestsAreRefusedAndTheConnectionCloses(_ request: String) throws {
        let result = try send(request + Self.hidden)
        // What has no request line at all is closed without a word.
        #expect(result.answers == [400] || result.answers == [], "\(result.answers)")
        #expect(result.served == [])
    }

    @Test(arguments: ["HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "HTTP/1.9"])
    func otherVersionsAreRefused(_ version: String) throws {
        let result = try send("GET /a \(version)\r\nHost: test\r\n\r\n" + Self.hidden)
        #expect(result.answers == [505])
        #expect(result.served == [])
    }

    @Test(arguments: [
        "5\r\nhello\r\nxyz\r\n", "5\r\nhelloworld\r\n0\r\n\r\n", "-5\r\n", "5 \r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n", "\r\n", "g\r\n",
    ])
    func malformedChunksAreRefused(_ body: String) throws {
        let head = "POST /a HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
        let result = try send(head + body + Self.hidden)
        #expect(result.answers == [400])
        #expect(result.served == [])
    }

    @Test func anEnormousChunkIsRefused() throws {
        let head = "POST /a HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(try send(head + "fffffffffffffffff\r\n" + Self.hidden).answers == [413])
    }

    /// libmicrohttpd takes a bare LF for a line end between chunks, so nothing after a chunked body is trusted.
    @Test(arguments: ["0\r\n\r\n", "1\nx\r\n0\r\n\r\n", "1;a=\nx\r\n0\r\n\r\n", "0\r\nTrailer: x\r\n\r\n"])
    func nothingIsServedAfterAChunkedBody(_ body: String) throws {
        let head = "POST /a HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
        let result = try send(head + body + Self.hidden)
        #expect(result.answers == [200])
        #expect(result.served == ["POST /a"])
    }

    @Test func aChunkedRequestIsToldThatItsConnectionCloses() throws {
        let prepared = try #require(PreparedResponse(text("prepared")))
        try withServer([echo, Route(.post, "/p") { _ in .prepared(prepared) }]) { _, address in
            for path in ["/echo", "/p"] {
                let client = try RawClient(address)
                client.send("POST \(path) HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: Chunked\r\n\r\n")
                client.send("3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: x\r\n\r\n")
                let answer = try client.answer()
                #expect(answer.text == (path == "/echo" ? "abcde" : "prepared"))
                #expect(answer["connection"] == "close")
                #expect(try client.isClosedWithoutMore())
            }
        }
    }

    @Test func wellFormedVariantsAreServed() throws {
        let served = [
            "GET /a HTTP/1.1\r\nHost: test\r\n\r\n",
            "GET /a HTTP/1.1\r\nhOST:test\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: test \t\r\nX:\r\nY: \u{E9}\r\n\r\n",
            "GET /a HTTP/1.1\r\nX: a\tb\r\nHost:\r\n\r\n",
            "GET http://other/a HTTP/1.1\r\nHost: test\r\n\r\n",
            "POST /a HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n",
            "POST /a HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc",
            "\r\nGET /a HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
        ]
        let result = try send(served.joined(), closing: false)
        #expect(result.answers == served.map { _ in 200 })
        #expect(result.served.count == served.count)
    }
}
