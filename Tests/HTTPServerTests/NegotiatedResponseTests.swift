import HTTPServer
import Testing

@Suite struct NegotiatedResponseTests {
    private static let body = String(repeating: "statistics ", count: 1000)

    private func negotiated(_ text: String = body, tag: String? = "7") throws -> NegotiatedResponse {
        let response = Response(
            status: 200, contentType: "text/plain", body: Array(text.utf8),
            headers: [.init("Cache-Control", "no-cache")])
        return try #require(NegotiatedResponse(response, tag: tag))
    }

    private func withAnswers(
        _ negotiated: NegotiatedResponse, _ body: (_ ask: (_ headers: String) throws -> RawClient.Answer) throws -> Void
    ) throws {
        try withServer([Route(.get, "/n") { negotiated.answer(to: $0) }]) { _, address in
            let client = try RawClient(address)
            try body { headers in
                client.send("GET /n HTTP/1.1\r\nHost: t\r\n\(headers)\r\n")
                return try client.answer()
            }
        }
    }

    @Test(arguments: [
        ("", false), ("Accept-Encoding: gzip\r\n", true), ("Accept-Encoding: br, GZIP;q=0.5\r\n", true),
        ("Accept-Encoding: gzip; q=0\r\n", false), ("Accept-Encoding: *\r\n", true),
        ("Accept-Encoding: *, gzip;q=0.0\r\n", false), ("Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n", true),
        ("Accept-Encoding: identity\r\n", false), ("Accept-Encoding: x-gzip\r\n", true),
        ("Accept-Encoding: gzipped\r\n", false),
    ])
    func theFormIsTheOneThatIsAccepted(headers: String, isCompressed: Bool) throws {
        try withAnswers(try negotiated()) { ask in
            let answer = try ask(headers)
            #expect(answer.status == 200)
            #expect(answer["vary"] == "Accept-Encoding")
            #expect(answer["content-encoding"] == (isCompressed ? "gzip" : nil))
            #expect(answer["etag"] == (isCompressed ? "\"7-gzip\"" : "\"7\""))
            #expect(answer["content-type"] == "text/plain")
            #expect(isCompressed ? answer.body.starts(with: [0x1F, 0x8B]) : answer.text == Self.body)
            #expect(answer["content-length"] == "\(answer.body.count)")
        }
    }

    @Test(arguments: [
        ("\"7\"", 304), ("\"7-gzip\"", 304), ("W/\"7\"", 304), ("\"6\", \"7\"", 304), ("*", 304), ("\"6\"", 200),
        ("7", 200), ("\"7-br\"", 200), ("", 200),
    ])
    func whatTheClientHasIsNotSentAgain(tags: String, status: Int) throws {
        try withAnswers(try negotiated()) { ask in
            for encoding in ["", "Accept-Encoding: gzip\r\n"] {
                let answer = try ask("If-None-Match: \(tags)\r\n\(encoding)")
                #expect(answer.status == status)
                #expect(answer["etag"] == (encoding.isEmpty ? "\"7\"" : "\"7-gzip\""))
                #expect(answer["vary"] == "Accept-Encoding")
                #expect(answer["cache-control"] == "no-cache")
                #expect(answer.body.isEmpty == (status == 304))
            }
        }
    }

    @Test func withoutATagAllIsSent() throws {
        try withAnswers(try negotiated(tag: nil)) { ask in
            let answer = try ask("If-None-Match: *\r\n")
            #expect(answer.status == 200)
            #expect(answer["etag"] == nil)
        }
    }

    @Test func whatWouldGrowIsSentAsItIs() throws {
        try withAnswers(try negotiated("x")) { ask in
            let answer = try ask("Accept-Encoding: gzip\r\n")
            #expect(answer["content-encoding"] == nil)
            #expect(answer["etag"] == "\"7\"")
            #expect(answer.text == "x")
        }
    }

    @Test func aStreamIsNotNegotiated() {
        #expect(NegotiatedResponse(Response(status: 200, body: .stream(ResponseStream()))) == nil)
    }
}
