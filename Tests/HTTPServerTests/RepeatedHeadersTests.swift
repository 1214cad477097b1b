import HTTPServer
import Testing

/// What repeats the connection's last request isn't read again: whatever differs must be.
@Suite struct RepeatedHeadersTests {
    private let show = Route(.get, "/show") { request in
        let fields = request.headers.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
        return .response(text("\(request.target.query("n") ?? "-") \(fields)"))
    }

    @Test func eachRequestGetsItsOwnTargetAndFields() throws {
        try withServer([show]) { _, address in
            let client = try RawClient(address)
            for round in 0..<3 {
                for headers in ["", "X: a\r\n", "X: b\r\n", "X:b\r\n", "X:  b \r\nY: c\r\n", "Y: c\r\nX: b\r\n"] {
                    for number in 0..<3 {
                        let answer = try client.get("/show?n=\(round)\(number)", headers: headers)
                        let fresh = try RawClient(address).get("/show?n=\(round)\(number)", headers: headers)
                        #expect(answer.text == fresh.text)
                    }
                }
            }
        }
    }

    @Test func theTokenIsTheRequestsOwn() throws {
        let who = Route(.get, "/who") { .response(text("\($0.headers.bearerToken == .digest(SHA256Digest(of: "a")))")) }
        try withServer([who]) { _, address in
            let client = try RawClient(address)
            for (token, isKnown) in [("a", true), ("a", true), ("b", false), ("a", true), ("A", false), ("a", true)] {
                let answer = try client.get("/who", headers: "Authorization: Bearer \(token)\r\n")
                #expect(answer.text == "\(isKnown)")
            }
            #expect(try client.get("/who").text == "false")
        }
    }

    @Test func theMethodCounts() throws {
        let deletion = Route(.delete, "/hello") { _ in .response(text("deleted")) }
        try withServer([hello, deletion]) { _, address in
            let client = try RawClient(address)
            for (method, answer) in [("GET", "hello"), ("DELETE", "deleted"), ("GET", "hello"), ("GET", "hello")] {
                #expect(try client.get("/hello", method: method).text == answer)
            }
            #expect(try client.get("/hello", method: "PUT").status == 405)
        }
    }

    /// Who may ask is found out for each request, however often it is repeated.
    @Test func authorizeIsAskedEachTime() throws {
        let asked = Recorder<Bool>()
        let authorize: Server.Authorize = { request, _ in
            #expect(request.principal == nil)
            request.principal = asked
            asked.record(true)
            return asked.all.count > 3 ? text("no longer", status: 403) : nil
        }
        try withServer([hello], authorize: authorize) { _, address in
            let client = try RawClient(address)
            for _ in 0..<3 { #expect(try client.get("/hello").status == 200) }
            for _ in 0..<3 { #expect(try client.get("/hello").status == 403) }
        }
    }

    /// The second is the first but for one byte, which libmicrohttpd overwrites or skips in some of them.
    @Test(arguments: [
        "Host: t\nX: b\r\n\r\n", "Host: t\r\nX: b\n\r\n", "Host: t\r\nX : b\r\n\r\n", "Host: t\r\nX: b\r\n\n",
        "Host: t\r\n X: b\r\n\r\n", "Host: t\r\nX: b\r\nHost: t\r\n\r\n", "Host: t\r\nX\0 b\r\n\r\n",
    ])
    func aBadSectionAfterAGoodOneIsRefused(_ bad: String) throws {
        try withServer([hello]) { _, address in
            let client = try RawClient(address)
            for _ in 0..<2 {
                client.send("GET /hello HTTP/1.1\r\nHost: t\r\nX: b\r\n\r\n")
                #expect(try client.answer().status == 200)
            }
            client.send("GET /hello HTTP/1.1\r\n" + bad)
            client.finishSending()
            #expect(try client.answer().status == 400)
        }
    }

    /// What is good in one version is not in the other.
    @Test func theVersionCounts() throws {
        try withServer([hello, echo]) { _, address in
            let withoutHost = try RawClient(address)
            withoutHost.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            #expect(try withoutHost.answer().status == 200)
            withoutHost.send("GET /hello HTTP/1.1\r\nConnection: keep-alive\r\n\r\n")
            #expect(try withoutHost.answer().status == 400)
        }
    }

    @Test func aRepeatedLengthFramesEachBody() throws {
        try withServer([echo]) { _, address in
            let client = try RawClient(address)
            for body in ["abc", "def", "GET", "   "] {
                client.send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\n\(body)")
                #expect(try client.answer().text == body)
            }
        }
    }
}
