import HTTPServer
import Testing

@Suite struct RoutingTests {
    private func named(_ method: Method, _ pattern: String) -> Route {
        Route(method, pattern) { request in
            let name = request.parameters["name"].map { " \($0)" } ?? ""
            return .response(text("\(method.rawValue) \(pattern)\(name)"))
        }
    }

    @Test func literalBeatsParameterAndBacktracks() throws {
        let routes = [
            named(.get, "/t/{name}"), named(.get, "/t/all"), named(.get, "/t/{name}/stats"), named(.get, "/"),
            named(.put, "/t/{name}"),
        ]
        try withServer(routes) { _, address in
            let client = try RawClient(address)
            #expect(try client.get("/t/all").text == "GET /t/all")
            #expect(try client.get("/t/a").text == "GET /t/{name} a")
            #expect(try client.get("/t/all/stats").text == "GET /t/{name}/stats all")
            #expect(try client.get("/t/a", method: "PUT").text == "PUT /t/{name} a")
            #expect(try client.get("/").text == "GET /")
        }
    }

    @Test(arguments: ["/hello/", "/Hello", "/hello/x", "//hello", "/", "/hell", "/t/", "/hello%2F"])
    func otherPathsAreNotFound(_ target: String) throws {
        try withServer([hello, named(.get, "/t/{name}")]) { _, address in
            let answer = try RawClient(address).get(target)
            #expect(answer.status == 404)
        }
    }

    @Test func otherMethodsAreRefusedWithAllow() throws {
        try withServer([hello, named(.delete, "/hello"), echo]) { _, address in
            let client = try RawClient(address)
            for method in ["PUT", "TRACE", "FROB", "get", "POST"] {
                let answer = try client.get("/hello", method: method)
                #expect(answer.status == 405, "\(method)")
                #expect(answer["allow"] == "DELETE, GET, HEAD, OPTIONS")
            }
            let options = try client.get("/hello", method: "OPTIONS")
            #expect(options.status == 204)
            #expect(options["allow"] == "DELETE, GET, HEAD, OPTIONS")
            #expect(try client.get("/echo", method: "OPTIONS")["allow"] == "OPTIONS, POST")
            #expect(try client.get("/echo", method: "HEAD").status == 405)
            #expect(try client.get("*", method: "OPTIONS").status == 204)
            #expect(try client.get("/hello").text == "hello")
        }
    }

    @Test func headHasTheSameHeadersAndNoBody() throws {
        try withServer([hello]) { _, address in
            let client = try RawClient(address)
            let get = try client.get("/hello")
            var head = try client.get("/hello", method: "HEAD")
            #expect(head["content-length"] == "5")
            head.headers["date"] = get.headers["date"]
            #expect(head.headers == get.headers)
            #expect(try client.get("/hello").text == "hello")
        }
    }

    @Test func defaultHeadersMayBeReplaced() throws {
        let cached = Route(.get, "/c") { _ in
            .response(Response(status: 200, headers: [.init("cache-control", "max-age=60")]))
        }
        try withServer([hello, cached]) { _, address in
            let client = try RawClient(address)
            let plain = try client.get("/hello")
            #expect(plain["cache-control"] == "no-store")
            #expect(plain["x-content-type-options"] == "nosniff")
            #expect(plain["date"] != nil)
            #expect(try client.get("/c").headers["cache-control"] == ["max-age=60"])
        }
    }

    @Test func anythingThrownBecomesTheCallersResponse() throws {
        struct Odd: Error {}
        let routes = [
            Route(.get, "/odd") { _ in throw Odd() },
            Route(.get, "/type") { _ in throw HTTPError.unsupportedMediaType(accepts: ["a/b"]) },
        ]
        let onError: Server.OnError = { error, request in
            let status = (error as? HTTPError)?.status ?? 599
            return text("problem \(request?.target.rawPath ?? "-")", status: status)
        }
        try withServer(routes, onError: onError) { _, address in
            let client = try RawClient(address)
            let odd = try client.get("/odd")
            #expect(odd.status == 599)
            #expect(odd.text == "problem /odd")
            #expect(try client.get("/type").status == 415)
            #expect(try client.get("/none").status == 404)
        }
    }

    @Test func aResponseThatCannotBeSentIsAnError() throws {
        let split = Route(.get, "/split") { _ in
            .response(Response(status: 200, headers: [.init("X", "a\r\nSet-Cookie: b")]))
        }
        try withServer([split]) { _, address in
            let answer = try RawClient(address).get("/split")
            #expect(answer.status == 500)
            #expect(answer["set-cookie"] == nil)
        }
    }

    private final class Who: Sendable {
        let name: String

        init(name: String) { self.name = name }
    }

    @Test func authorizeComesBeforeRoutingIsRevealed() throws {
        let authorize: Server.Authorize = { request, route in
            guard case .digest(let digest) = request.headers.bearerToken,
                digest == SHA256Digest(of: "secret")
            else { return text("who?", status: 401) }
            request.principal = Who(name: route?.pattern ?? "none")
            return nil
        }
        let who = Route(.get, "/who") { .response(text(($0.principal as? Who)?.name ?? "")) }
        try withServer([who], authorize: authorize) { _, address in
            let client = try RawClient(address)
            #expect(try client.get("/who").status == 401)
            #expect(try client.get("/none").status == 401)
            #expect(try client.get("/who", method: "PUT").status == 401)
            let token = "Authorization: bearer secret\r\n"
            #expect(try client.get("/who", headers: token).text == "/who")
            #expect(try client.get("/none", headers: token).status == 404)
        }
    }

    @Test func accessLogHasEachAnswer() throws {
        let log = Recorder<AccessLogEntry>()
        try withServer([hello], accessLog: log.record) { server, address in
            let client = try RawClient(address)
            _ = try client.get("/hello?a=%20b")
            let entry = try log.next()
            #expect(entry.method == .get)
            #expect(entry.target == "/hello?a=%20b")
            #expect(entry.status == 200)
            #expect(entry.bytes == 5)
            #expect(entry.microseconds >= 0)
            _ = try client.get("/x", method: "HEAD")
            let second = try log.next()
            #expect(second.status == 404)
            #expect(second.bytes == 0)
            #expect(server.statistics.responsesByClass == [0, 1, 0, 1, 0])
            #expect(server.statistics.openConnections == 1)
        }
    }
}
