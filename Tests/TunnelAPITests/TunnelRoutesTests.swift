import HTTPServer
import Reconciler
import Synchronization
import Testing
import Tunnels

@testable import TunnelAPI

@Suite struct TunnelRoutesTests {
    private let small = #"{"name": "tun_a", "remote": "172.16.1.62"}"#

    @Test func createReadAndDelete() async throws {
        try await withDaemon { daemon in
            let created = try daemon.ask("POST", "/v1/tunnels", small)
            #expect(created.status == 201)
            #expect(created.headers["location"] == "/v1/tunnels/tun_a")
            #expect(created.headers["etag"] == "\"1\"")
            #expect(created["status.state"] == .string("up"))
            #expect(created["revision"] == .integer(1))
            guard case .string(let id) = created["id"] else {
                Issue.record("no id")
                return
            }

            for target in ["/v1/tunnels/tun_a", "/v1/tunnels/\(id)"] {
                let read = try daemon.ask("GET", target)
                #expect(read.status == 200)
                #expect(read.body == created.body)
                #expect(read.headers["etag"] == "\"1\"")
                #expect(try daemon.ask("GET", target).body == created.body, "the kept answer is another")
            }
            let head = try daemon.ask("HEAD", "/v1/tunnels/tun_a")
            #expect(head.status == 200 && head.body.isEmpty)
            #expect(head.headers["content-length"] == "\(created.body.count)")

            let deleted = try daemon.ask("DELETE", "/v1/tunnels/tun_a")
            #expect(deleted.status == 204 && deleted.body.isEmpty)
            #expect(daemon.kernel.state.withLock { $0.links.isEmpty })
            try daemon.ask("GET", "/v1/tunnels/tun_a").expect(404, .tunnelNotFound)
            try daemon.ask("DELETE", "/v1/tunnels/tun_a").expect(404, .tunnelNotFound)
        }
    }

    @Test func putCreatesReplacesAndRepeats() async throws {
        try await withDaemon { daemon in
            let created = try daemon.ask("PUT", "/v1/tunnels/tun_a", #"{"remote": "172.16.1.62"}"#)
            #expect(created.status == 201)
            #expect(created.headers["location"] == "/v1/tunnels/tun_a")
            let again = try daemon.ask("PUT", "/v1/tunnels/tun_a", small)
            #expect(again.status == 200)
            #expect(again.body == created.body)
            let changed = try daemon.ask(
                "PUT", "/v1/tunnels/tun_a", #"{"remote": "172.16.1.62", "mtu": 1400}"#)
            #expect(changed.status == 200)
            #expect(changed.headers["etag"] == "\"2\"")
            #expect(changed["status.mtu"] == .integer(1400))
            let read = try daemon.ask("GET", "/v1/tunnels/tun_a")
            #expect(read.body == changed.body)
            // As a script would: read, change one thing, send back.
            let edited = read.text.replacing(#""comment":"""#, with: #""comment":"x""#)
            #expect(try daemon.ask("PUT", "/v1/tunnels/tun_a", edited)["comment"] == .string("x"))
            try daemon.ask("PUT", "/v1/tunnels/tun_a", edited).expect(412, .preconditionFailed)
        }
    }

    @Test func putByIdRenamesAndNeverCreates() async throws {
        try await withDaemon { daemon in
            let id = "018f0000-0000-7000-8000-000000000001"
            try daemon.ask("PUT", "/v1/tunnels/\(id)", small).expect(404, .tunnelNotFound)
            guard case .string(let id) = try daemon.ask("POST", "/v1/tunnels", small)["id"] else { return }
            let renamed = try daemon.ask(
                "PUT", "/v1/tunnels/\(id)", #"{"name": "tun_b", "remote": "172.16.1.62"}"#)
            #expect(renamed.status == 200)
            #expect(renamed["name"] == .string("tun_b"))
            #expect(renamed["id"] == .string(id))
        }
    }

    @Test func putRefusesAnotherNameThanThePaths() async throws {
        try await withDaemon { daemon in
            let answer = try daemon.ask("PUT", "/v1/tunnels/tun_b", small)
            answer.expect(422, .invalidValue)
            #expect(answer["errors.0.pointer"] == .string("/name"))
            try daemon.ask("PUT", "/v1/tunnels/lo", #"{"remote": "172.16.1.62"}"#).expect(422, .invalidValue)
            try daemon.ask("PUT", "/v1/tunnels/a%2Fb", #"{"remote": "172.16.1.62"}"#).expect(
                422, .invalidValue)
        }
    }

    @Test(arguments: ["application/merge-patch+json", "application/json", "Application/JSON; charset=utf-8"])
    func patchChangesAndRenames(type: String) async throws {
        try await withDaemon { daemon in
            _ = try daemon.ask("POST", "/v1/tunnels", small)
            let header = "Content-Type: \(type)"
            let patched = try daemon.ask(
                "PATCH", "/v1/tunnels/tun_a", #"{"name": "tun_b", "labels": {"a": "b"}}"#, headers: [header])
            #expect(patched.status == 200)
            #expect(patched["name"] == .string("tun_b"))
            #expect(patched["labels.a"] == .string("b"))
            #expect(patched["revision"] == .integer(2))
            try daemon.ask("GET", "/v1/tunnels/tun_a").expect(404, .tunnelNotFound)
            try daemon.ask("PATCH", "/v1/tunnels/tun_b", #"{"mtu": "x"}"#).expect(400, .invalidShape)
            try daemon.ask("PATCH", "/v1/tunnels/tun_b", #"{"mtu": 5}"#).expect(422, .invalidValue)
            try daemon.ask("PATCH", "/v1/tunnels/nope", "{}").expect(404, .tunnelNotFound)
            #expect(try daemon.ask("PATCH", "/v1/tunnels/tun_b", "{}").headers["etag"] == "\"2\"")
        }
    }

    @Test func bodiesAreRefusedWithTheirReason() async throws {
        try await withDaemon { daemon in
            try daemon.ask("POST", "/v1/tunnels", "{").expect(400, .invalidJSON)
            try daemon.ask("POST", "/v1/tunnels", "").expect(400, .invalidJSON)
            try daemon.ask("POST", "/v1/tunnels", "[]").expect(400, .invalidShape)
            let answer = try daemon.ask("POST", "/v1/tunnels", #"{"remote": "1.2.3", "x": 1}"#)
            answer.expect(400, .invalidShape)
            #expect(answer["errors.2.pointer"] == .string("/x"))
            try daemon.ask("POST", "/v1/tunnels", #"{"name": "a", "remote": "1.2.3"}"#).expect(
                422, .invalidValue)
            try daemon.ask("POST", "/v1/tunnels", #"{"name": "a", "remote": "10.0.0.1", "revision": 1}"#)
                .expect(400, .invalidShape)
            let typed = try daemon.ask("POST", "/v1/tunnels", small, headers: ["Content-Type: text/plain"])
            typed.expect(415, .unsupportedMediaType)
            #expect(typed.headers["accept"] == "application/json")
            try daemon.ask(
                "PUT", "/v1/tunnels/tun_a", small, headers: ["Content-Type: application/merge-patch+json"]
            )
            .expect(415, .unsupportedMediaType)
            try send("POST", "/v1/tunnels", body: small, to: daemon.unix).expect(415, .unsupportedMediaType)
            #expect(daemon.kernel.state.withLock { $0.links.isEmpty })
        }
    }

    @Test func whoStandsInTheWayIsNamed() async throws {
        try await withDaemon { daemon in
            _ = try daemon.ask("POST", "/v1/tunnels", small)
            let name = try daemon.ask("POST", "/v1/tunnels", #"{"name": "tun_a", "remote": "172.16.1.63"}"#)
            name.expect(409, .nameTaken)
            #expect(name["tunnel"] == .string("tun_a"))
            let endpoints = try daemon.ask(
                "POST", "/v1/tunnels", #"{"name": "tun_b", "remote": "172.16.1.62"}"#)
            endpoints.expect(409, .endpointsTaken)
            #expect(endpoints["tunnel"] == .string("tun_a"))
            #expect(endpoints["errors.0.pointer"] == .string("/remote"))
        }
    }

    @Test func theKernelsWordsArePassedOn() async throws {
        try await withDaemon { daemon in
            let refusal = TunnelProblem(.kernelRefused, "detail", errno: "EPERM", kernelMessage: "words")
            daemon.kernel.state.withLock { $0.refusals["tun_a"] = refusal }
            let answer = try daemon.ask("POST", "/v1/tunnels", small)
            answer.expect(422, .kernelRefused)
            #expect(answer["errno"] == .string("EPERM"))
            #expect(answer["kernel_message"] == .string("words"))
            try daemon.ask("GET", "/v1/tunnels/tun_a").expect(404, .tunnelNotFound)
        }
    }

    @Test func thereIsALimit() async throws {
        var limits = Reconciler.Limits()
        limits.tunnels = 1
        try await withDaemon(limits: limits) { daemon in
            _ = try daemon.ask("POST", "/v1/tunnels", small)
            try daemon.ask("POST", "/v1/tunnels", #"{"name": "tun_b", "remote": "172.16.1.63"}"#)
                .expect(409, .tooManyTunnels)
        }
    }

    @Test func asynchronousWritesAreStoredAtOnce() async throws {
        try await withDaemon { daemon in
            let prefer = ["Prefer: wait=5, Respond-Async; x=y"]
            let created = try daemon.ask("POST", "/v1/tunnels", small, headers: prefer)
            #expect(created.status == 202)
            #expect(created["status.state"] == .string("pending"))
            #expect(created.headers["preference-applied"] == "respond-async")
            #expect(created.headers["location"] == "/v1/tunnels/tun_a")
            #expect(try daemon.ask("GET", "/v1/tunnels/tun_a").body == created.body)
            #expect(daemon.kernel.state.withLock { $0.links.isEmpty })
            #expect(try daemon.ask("DELETE", "/v1/tunnels/tun_a", headers: prefer).status == 202)
        }
    }

    @Test func preconditions() async throws {
        try await withDaemon { daemon in
            let target = "/v1/tunnels/tun_a"
            func put(_ mtu: Int, _ headers: String...) throws -> HTTPAnswer {
                try daemon.ask("PUT", target, #"{"remote": "172.16.1.62", "mtu": \#(mtu)}"#, headers: headers)
            }
            try put(1000, "If-Match: *").expect(412, .preconditionFailed)
            #expect(try put(1000, "If-None-Match: *").status == 201)
            let failed = try put(1001, "If-None-Match: *")
            failed.expect(412, .preconditionFailed)
            #expect(failed["current_revision"] == .integer(1))
            #expect(try put(1001, "If-Match: \"1\"").status == 200)
            try put(1002, "If-Match: \"1\"").expect(412, .preconditionFailed)
            try put(1002, "If-Match: W/\"2\"").expect(412, .preconditionFailed)
            #expect(try put(1002, "If-Match: \"7\" , \"2\"").status == 200)
            #expect(try put(1003, "If-Match: \"x,\"", "If-Match: \"3\"").status == 200)
            try put(1004, "If-Match: 4").expect(400, .invalidParameter)
            try put(1004, "If-None-Match: \"4\"").expect(400, .invalidParameter)
            try put(1004, "If-Match: *", "If-None-Match: *").expect(412, .preconditionFailed)
            let body = #"{"revision": 4, "comment": "x"}"#
            try daemon.ask("PATCH", target, body, headers: ["If-Match: \"3\""]).expect(
                412, .preconditionFailed)
            #expect(try daemon.ask("PATCH", target, body, headers: ["If-Match: *"]).status == 200)
            try daemon.ask("PATCH", target, body).expect(412, .preconditionFailed)
            try daemon.ask("DELETE", target, headers: ["If-Match: \"4\""]).expect(412, .preconditionFailed)
            #expect(try daemon.ask("DELETE", target, headers: ["If-Match: \"5\""]).status == 204)
        }
    }

    @Test func notModified() async throws {
        try await withDaemon { daemon in
            _ = try daemon.ask("POST", "/v1/tunnels", small)
            for tag in ["\"1\"", "W/\"1\"", "*", "\"5\", \"1\""] {
                let answer = try daemon.ask("GET", "/v1/tunnels/tun_a", headers: ["If-None-Match: \(tag)"])
                #expect(answer.status == 304 && answer.body.isEmpty)
                #expect(answer.headers["etag"] == "\"1\"")
            }
            let answer = try daemon.ask("GET", "/v1/tunnels/tun_a", headers: ["If-None-Match: \"2\", \"01\""])
            #expect(answer.status == 200)
            try daemon.ask("GET", "/v1/tunnels/tun_a", headers: ["If-None-Match: 1"]).expect(
                400, .invalidParameter)
        }
    }

    /// The answer that is kept for one view is not given for the next.
    @Test func keptAnswersFollowTheTunnel() async throws {
        try await withDaemon { daemon in
            _ = try daemon.ask("POST", "/v1/tunnels", small)
            _ = try daemon.ask("GET", "/v1/tunnels/tun_a")
            _ = try daemon.ask("PATCH", "/v1/tunnels/tun_a", #"{"comment": "new"}"#)
            #expect(try daemon.ask("GET", "/v1/tunnels/tun_a")["comment"] == .string("new"))
            _ = try daemon.ask("DELETE", "/v1/tunnels/tun_a")
            _ = try daemon.ask("POST", "/v1/tunnels", small)
            #expect(try daemon.ask("GET", "/v1/tunnels/tun_a")["comment"] == .string(""))
        }
    }

    @Test func pagesAndFilters() async throws {
        try await withDaemon { daemon in
            for number in 1...5 {
                let body = """
                    {"name": "tun_\(number)", "remote": "10.0.0.\(number)", "enabled": \(number != 3),
                     "labels": {"odd": "\(number % 2 == 1)", "n": "\(number):x"}}
                    """
                #expect(try daemon.ask("POST", "/v1/tunnels", body).status == 201)
            }
            func names(_ answer: HTTPAnswer) -> [String] {
                guard case .array(let items) = answer["items"] else { return [] }
                return items.map {
                    if case .object(let item) = $0, case .string(let name) = item["name"] { name } else { "" }
                }
            }
            let all = try daemon.ask("GET", "/v1/tunnels")
            #expect(names(all) == ["tun_1", "tun_2", "tun_3", "tun_4", "tun_5"])
            #expect(all["next_cursor"] == .null)
            var cursor = ""
            var found: [[String]] = []
            for _ in 0..<3 {
                let page = try daemon.ask("GET", "/v1/tunnels?limit=2\(cursor)")
                found.append(names(page))
                if case .string(let next) = page["next_cursor"] {
                    cursor = "&cursor=\(next)"
                } else {
                    cursor = ""
                }
            }
            #expect(found == [["tun_1", "tun_2"], ["tun_3", "tun_4"], ["tun_5"]])
            #expect(cursor.isEmpty)
            #expect(
                names(try daemon.ask("GET", "/v1/tunnels?label=odd:true&state=up")) == ["tun_1", "tun_5"])
            #expect(names(try daemon.ask("GET", "/v1/tunnels?label=odd:true&label=n:3%3Ax")) == ["tun_3"])
            #expect(names(try daemon.ask("GET", "/v1/tunnels?state=down&state=failed")) == ["tun_3"])
            #expect(names(try daemon.ask("GET", "/v1/tunnels?label=none:")).isEmpty)
        }
    }

    @Test(arguments: [
        "limit=0", "limit=1001", "limit=x", "limit=01", "limit=1&limit=2", "cursor=", "cursor=%21",
        "cursor=bG8",
        "cursor=dHVuX2B", "label=a", "label=:a", "state=on", "state=", "colour=1", "=", "limit",
    ])
    func unknownAndBadParameters(query: String) async throws {
        try await withDaemon { daemon in
            try daemon.ask("GET", "/v1/tunnels?\(query)").expect(400, .invalidParameter)
        }
    }

    @Test func parametersAreRefusedEverywhere() async throws {
        try await withDaemon { daemon in
            _ = try daemon.ask("POST", "/v1/tunnels", small)
            for route in daemon.api.routes {
                let path = route.pattern.replacing("{name}", with: "tun_a").replacing(
                    "{slug}", with: "not-found")
                let body = route.method == .get || route.method == .delete ? nil : small
                try daemon.ask(route.method.rawValue, "\(path)?x=1", body).expect(400, .invalidParameter)
            }
        }
    }

    @Test func whatIsntThere() async throws {
        try await withDaemon { daemon in
            try daemon.ask("GET", "/v2").expect(404, .notFound)
            try daemon.ask("GET", "/v1/tunnels/").expect(404, .notFound)
            let answer = try daemon.ask("DELETE", "/v1/tunnels")
            answer.expect(405, .methodNotAllowed)
            #expect(answer.headers["allow"] == "GET, HEAD, OPTIONS, POST")
            try daemon.ask("GET", "/v1/tunnels/a%20b").expect(404, .tunnelNotFound)
            try daemon.ask("GET", "/v1/tunnels/tunl0/stats").expect(404, .tunnelNotFound)
        }
    }
}
