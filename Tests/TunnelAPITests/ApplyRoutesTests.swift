import HTTPServer
import Synchronization
import Testing
import TunnelStore
import Tunnels

@testable import TunnelAPI

@Suite struct ApplyRoutesTests {
    private static let first = #"{"name": "tun_a", "remote": "172.16.1.62", "addresses": ["192.168.1.1/24"]}"#
    private static let second = #"{"name": "tun_b", "remote": "172.16.1.63", "labels": {"site": "a"}}"#

    private func set(_ tunnels: String..., more: String = "") -> String {
        #"{"tunnels": [\#(tunnels.joined(separator: ", "))]\#(more.isEmpty ? "" : ", " + more)}"#
    }

    @Test func aSetIsAppliedAndToldCompactly() async throws {
        try await withDaemon { daemon in
            let answer = try daemon.ask("POST", "/v1/apply", set(Self.first, Self.second))
            #expect(answer.status == 200, "\(answer.text)")
            #expect(answer.headers["etag"] == "\"2\"")
            #expect(answer["revision"] == .integer(2))
            #expect(answer["dry_run"] == .bool(false))
            #expect(answer["counts.create"] == .integer(2))
            #expect(answer["items.1.name"] == .string("tun_b"))
            #expect(answer["items.1.action"] == .string("create"))
            #expect(answer["items.1.position"] == .integer(1))
            #expect(answer["items.1.revision"] == .integer(1))
            #expect(answer["items.1.tunnel"] == nil)
            let read = try daemon.ask("GET", "/v1/tunnels/tun_b")
            #expect(read["id"] == answer["items.1.id"])
            #expect(read["status.state"] == .string("up"))
            #expect(try daemon.ask("GET", "/v1/tunnels").headers["etag"] == "\"2\"")

            let again = try daemon.ask("POST", "/v1/apply", set(Self.first, more: #""prune": true"#))
            #expect(again["counts.keep"] == .integer(1))
            #expect(again["counts.delete"] == .integer(1))
            #expect(again["items.1.action"] == .string("delete"))
            #expect(again["items.1.position"] == .null)
            #expect(try daemon.ask("GET", "/v1/tunnels/tun_b").status == 404)
            #expect(try daemon.ask("GET", "/v1/tunnels/tun_a").headers["etag"] == "\"1\"")
        }
    }

    @Test func theAnswerIsAsLongAsItIsPreferred() async throws {
        try await withDaemon { daemon in
            let whole = try daemon.ask(
                "POST", "/v1/apply", set(Self.first), headers: ["Prefer: return=representation, respond-async"])
            #expect(whole.status == 200)
            #expect(whole["items.0.tunnel.status.state"] == .string("up"))
            #expect(whole.headers["preference-applied"] == "return=representation")
            let least = try daemon.ask("POST", "/v1/apply", set(Self.first), headers: ["Prefer: return=minimal"])
            #expect(least["counts.keep"] == .integer(1))
            #expect(least["items"] == nil)
        }
    }

    @Test func aDryRunTellsFieldsAndOperations() async throws {
        try await withDaemon { daemon in
            _ = try daemon.ask("POST", "/v1/apply", set(Self.first))
            let changed = #"{"name": "tun_a", "remote": "172.16.1.62", "mtu": 1400, "comment": "x"}"#
            let answer = try daemon.ask("POST", "/v1/apply", set(changed, Self.second, more: #""dry_run": true"#))
            #expect(answer["items.0.action"] == .string("change"))
            #expect(answer["items.0.changes.0.field"] == .string("addresses"))
            #expect(
                answer["items.0.changes.1"]
                    == .object(["field": .string("mtu"), "before": .null, "after": .integer(1400)]))
            #expect(answer["items.0.changes.2.field"] == .string("comment"))
            #expect(answer["items.0.changes.3"] == nil)
            #expect(answer["items.1.id"] == .null)
            let operations = try #require(answer["operations"]).array.compactMap { $0.member("operation") }
            #expect(operations == [.string("set_mtu"), .string("remove_address"), .string("create")])
            #expect(answer["operations.2.remote"] == .string("172.16.1.63"))
            #expect(answer.headers["etag"] == "\"1\"")
            #expect(try daemon.ask("GET", "/v1/tunnels/tun_a")["mtu"] == .null)
            #expect(try daemon.ask("GET", "/v1/tunnels/tun_b").status == 404)
        }
    }

    @Test func ifMatchGuardsTheSet() async throws {
        try await withDaemon { daemon in
            func apply(_ tunnel: String, _ headers: String...) throws -> HTTPAnswer {
                try daemon.ask("POST", "/v1/apply", set(tunnel), headers: headers)
            }
            #expect(try apply(Self.first, "If-Match: \"0\"").status == 200)
            let late = try apply(Self.second, "If-Match: \"0\"")
            late.expect(412, .preconditionFailed)
            #expect(late["current_revision"] == .integer(1))
            #expect(try apply(Self.second, "If-Match: W/\"1\"").status == 412)
            #expect(try apply(Self.second, "If-Match: *").status == 200)
            #expect(try apply(Self.second, "If-Match: \"2\", \"7\"").status == 200)
            try apply(Self.second, "If-None-Match: *").expect(400, .invalidParameter)
        }
    }

    // MARK: - Refusals

    @Test func allThatIsWrongIsToldAtOnce() async throws {
        try await withDaemon { daemon in
            let bad = #"{"name": "tun_c", "remote": "224.0.0.1", "addresses": ["10.0.0.1/33", "10.0.0.0/24"]}"#
            let worse = #"{"name": "no name", "remote": 5, "colour": "red"}"#
            let answer = try daemon.ask(
                "POST", "/v1/apply", set(Self.first, bad, "7", worse, Self.first, more: #""prune": 1, "scope": {}"#))
            answer.expect(400, .invalidShape)
            let pointers = try #require(answer["errors"]).array.compactMap { $0.member("pointer") }
            #expect(
                Set(pointers)
                    == Set(
                        [
                            "/prune", "/scope/label", "/tunnels/1/remote", "/tunnels/1/addresses/0",
                            "/tunnels/1/addresses/1",
                            "/tunnels/2", "/tunnels/3/name", "/tunnels/3/remote", "/tunnels/3/colour",
                            "/tunnels/0/name",
                            "/tunnels/4/name", "/tunnels/0/remote", "/tunnels/4/remote", "/tunnels/0/addresses/0",
                            "/tunnels/4/addresses/0",
                        ].map { JSONValue.string($0) }))
            #expect(try daemon.store.tunnels().isEmpty)
        }
    }

    @Test func violationsAreBounded() async throws {
        try await withDaemon { daemon in
            let tunnels = Array(repeating: #"{"name": ""}"#, count: 5000).joined(separator: ",")
            let answer = try daemon.ask("POST", "/v1/apply", #"{"tunnels": [\#(tunnels)]}"#)
            answer.expect(400, .invalidShape)
            #expect(try #require(answer["errors"]).array.count == BodyRefusal.maximumViolations)
        }
    }

    @Test func tooManyTunnelsAreRefused() async throws {
        try await withDaemon { daemon in
            let tunnels = Array(repeating: "0", count: ApplyBody.maximumTunnels + 1).joined(separator: ",")
            let answer = try daemon.ask("POST", "/v1/apply", #"{"tunnels": [\#(tunnels)]}"#)
            answer.expect(422, .invalidValue)
            #expect(answer["errors.0.pointer"] == .string("/tunnels"))
        }
    }

    @Test func whatTheKernelRefusesIsToldWithItsPlaceAndWords() async throws {
        try await withDaemon { daemon in
            let refusal = TunnelProblem(.kernelRefused, "no.", errno: "EINVAL", kernelMessage: "its words")
            daemon.kernel.state.withLock { $0.refusals["tun_b"] = refusal }
            let answer = try daemon.ask("POST", "/v1/apply", set(Self.first, Self.second))
            answer.expect(422, .kernelRefused)
            #expect(answer["errors.0.pointer"] == .string("/tunnels/1"))
            #expect(answer["errors.0.tunnel"] == .string("tun_b"))
            #expect(answer["errors.0.type"] == .string("/problems/kernel-refused"))
            #expect(answer["errors.0.errno"] == .string("EINVAL"))
            #expect(answer["errors.0.kernel_message"] == .string("its words"))
            #expect(answer["errors.1"] == nil)
            #expect(try daemon.store.tunnels().isEmpty)
            #expect(daemon.kernel.state.withLock { $0.links.isEmpty })
            #expect(try daemon.ask("GET", "/v1/tunnels").headers["etag"] == "\"0\"")
        }
    }

    @Test func whatStandsOutsideOfTheScopeIsToldWithItsName() async throws {
        try await withDaemon { daemon in
            _ = try daemon.ask("POST", "/v1/apply", set(Self.first))
            let scope = #""scope": {"label": "site:a"}"#
            let theirs = #"{"name": "tun_a", "remote": "172.16.1.99", "labels": {"site": "a"}}"#
            let outside = try daemon.ask("POST", "/v1/apply", set(theirs, more: scope))
            outside.expect(409, .outOfScope)
            #expect(outside["errors.0.pointer"] == .string("/tunnels/0/name"))
            let taken = #"{"name": "tun_c", "remote": "172.16.1.62", "labels": {"site": "a"}}"#
            let answer = try daemon.ask("POST", "/v1/apply", set(Self.second, taken, more: scope))
            answer.expect(409, .endpointsTaken)
            #expect(answer["errors.0.pointer"] == .string("/tunnels/1/remote"))
            #expect(answer["errors.0.tunnel"] == .string("tun_a"))
            let unlabelled = try daemon.ask("POST", "/v1/apply", set(Self.first, more: scope))
            unlabelled.expect(422, .invalidValue)
            #expect(unlabelled["errors.0.pointer"] == .string("/tunnels/0/labels"))
        }
    }

    @Test func aLargeBodyIsTakenHereAloneAndFromThoseWhoMay() async throws {
        try await withDaemon { daemon in
            let comment = String(repeating: "x", count: 1000)
            let tunnels = (0..<500).map { number in
                #"{"name": "t\#(number)", "remote": "172.16.\#(number / 200).\#(number % 200 + 1)", "comment": "\#(comment)"}"#
            }
            let body = #"{"tunnels": [\#(tunnels.joined(separator: ", "))]}"#
            #expect(body.utf8.count > 300_000)
            #expect(try daemon.ask("POST", "/v1/apply", body)["counts.create"] == .integer(500))
            try daemon.ask("POST", "/v1/tunnels", body).expect(413, .requestTooLarge)
            let stranger = try send(
                "POST", "/v1/apply", headers: ["Content-Type: application/json"], body: body, to: daemon.tcp)
            stranger.expect(401, .unauthenticated)
        }
    }

    // MARK: - YAML

    @Test(arguments: ["application/yaml", "application/x-yaml", "text/yaml; charset=utf-8"])
    func yamlIsTaken(_ type: String) async throws {
        try await withDaemon { daemon in
            let yaml = """
                # A site.
                tunnels:
                - name: tun_a
                  remote: 172.16.1.62
                  addresses: [192.168.1.1/24, 192.168.1.1 peer 10.0.0.1/32]
                  routes:
                  - to: 10.20.0.0/16
                    metric: 100
                  ttl: 64
                  labels: {site: "a", on: no}
                  comment: |
                    Two
                    lines
                - {name: 'tun_b', remote: 172.16.1.63, enabled: false}
                prune: true
                """
            let answer = try daemon.ask("POST", "/v1/apply", yaml, headers: ["Content-Type: \(type)"])
            #expect(answer["counts.create"] == .integer(2), "\(answer.text)")
            let read = try daemon.ask("GET", "/v1/tunnels/tun_a")
            #expect(read["labels.on"] == .string("no"))
            #expect(read["comment"] == .string("Two\nlines\n"))
            #expect(read["routes.0.metric"] == .integer(100))
            #expect(try daemon.ask("GET", "/v1/tunnels/tun_b")["enabled"] == .bool(false))
        }
    }

    @Test func aPlainListStandsForItsTunnels() async throws {
        try await withDaemon { daemon in
            let yaml = ["Content-Type: application/yaml"]
            let list = try daemon.ask("POST", "/v1/apply", "- {name: tun_a, remote: 172.16.1.62}", headers: yaml)
            #expect(list["counts.create"] == .integer(1))
            #expect(try daemon.ask("POST", "/v1/apply", "[\(Self.second)]")["counts.create"] == .integer(1))
            let wrong = try daemon.ask("POST", "/v1/apply", "- {name: 1e3, remote: 172.16.1.62}", headers: yaml)
            wrong.expect(400, .invalidShape)
            #expect(wrong["errors.0.pointer"] == .string("/tunnels/0/name"))
            #expect(wrong.text.contains("in quotes"))
        }
    }

    @Test func otherTypesAreRefused() async throws {
        try await withDaemon { daemon in
            let answer = try daemon.ask("POST", "/v1/apply", "[]", headers: ["Content-Type: text/plain"])
            answer.expect(415, .unsupportedMediaType)
            #expect(answer.headers["accept"]?.contains("application/yaml") == true)
            let broken = try daemon.ask("POST", "/v1/apply", "tunnels: [", headers: ["Content-Type: application/yaml"])
            broken.expect(400, .invalidYAML)
        }
    }
}

extension JSONValue {
    fileprivate var array: [JSONValue] {
        if case .array(let elements) = self { elements } else { [] }
    }

    fileprivate func member(_ name: String) -> JSONValue? {
        if case .object(let members) = self { members[name] } else { nil }
    }
}
