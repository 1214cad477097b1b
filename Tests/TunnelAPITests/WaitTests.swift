import HTTPServer
import Reconciler
import Testing
import TunnelStore
import Tunnels

@testable import TunnelAPI

@Suite struct WaitTests {
    private let smallest = #"{"name": "tun_a", "remote": "172.16.1.62"}"#

    /// A wait that has come to the server.
    private func begin(
        _ query: String, headers: [String] = [], on daemon: Daemon, tcp: Bool = false
    ) async throws -> PendingAnswer {
        let count = daemon.api.watchers.count
        let pending = try PendingAnswer(
            "GET", "/v1/tunnels/tun_a?\(query)", headers: ["Connection: close"] + headers,
            to: tcp ? daemon.tcp : daemon.unix)
        try await daemon.expect { daemon.api.watchers.count == count + 1 }
        return pending
    }

    @Test func whatIsSoIsAnsweredAtOnce() async throws {
        try await withDaemon { daemon in
            let created = try daemon.ask("POST", "/v1/tunnels", smallest)
            for until in ["state:up", "revision:1", "state:failed&until=state:up"] {
                let answer = try daemon.ask("GET", "/v1/tunnels/tun_a?wait=30s&until=\(until)")
                #expect(answer.status == 200)
                #expect(answer.body == created.body)
                #expect(answer.headers["wait-outcome"] == "reached")
                #expect(answer.headers["etag"] == "\"1\"")
            }
            let gone = try daemon.ask("GET", "/v1/tunnels/tun_b?wait=1&until=absent")
            #expect(gone.status == 204)
            #expect(gone.headers["wait-outcome"] == "reached")
        }
    }

    @Test func aTunnelThatIsNotThereIsWaitedFor() async throws {
        try await withDaemon { daemon in
            let pending = try await begin("wait=30s&until=state:up", on: daemon)
            let created = try daemon.ask("POST", "/v1/tunnels", smallest)
            let answer = try pending.wait()
            #expect(answer.status == 200)
            #expect(answer.body == created.body)
        }
    }

    @Test func aRevisionAndTheEndAreWaitedFor() async throws {
        try await withDaemon { daemon in
            _ = try daemon.ask("POST", "/v1/tunnels", smallest)
            let third = try await begin("wait=30s&until=revision:3", on: daemon)
            let end = try await begin("wait=30s&until=absent", on: daemon)
            for comment in ["b", "c"] {
                #expect(try daemon.ask("PATCH", "/v1/tunnels/tun_a", #"{"comment": "\#(comment)"}"#).status == 200)
            }
            #expect(try third.wait()["revision"] == .integer(3))
            #expect(daemon.api.watchers.count == 1)
            #expect(try daemon.ask("DELETE", "/v1/tunnels/tun_a").status == 204)
            let answer = try end.wait()
            #expect(answer.status == 204)
            #expect(answer.headers["wait-outcome"] == "reached")
        }
    }

    @Test func whenTimeIsUpItIsShownAsItIs() async throws {
        try await withDaemon { daemon in
            let now = try await begin("wait=0s&until=state:up", on: daemon)
            daemon.clock.advance(by: .zero)
            try now.wait().expect(404, .tunnelNotFound)
            let absent = try await begin("wait=5s&until=state:up", on: daemon)
            daemon.clock.advance(by: .seconds(5))
            let nothing = try absent.wait()
            nothing.expect(404, .tunnelNotFound)
            #expect(nothing.headers["wait-outcome"] == "timeout")
            let created = try daemon.ask("POST", "/v1/tunnels", smallest)
            let pending = try await begin("wait=5s&until=state:down", on: daemon)
            daemon.clock.advance(by: .seconds(5))
            let answer = try pending.wait()
            #expect(answer.status == 200)
            #expect(answer.body == created.body)
            #expect(answer.headers["wait-outcome"] == "timeout")
        }
    }

    @Test func withoutAConditionAnyChangeEndsIt() async throws {
        try await withDaemon { daemon in
            try daemon.ask("GET", "/v1/tunnels/tun_a?wait=30s").expect(404, .tunnelNotFound)
            _ = try daemon.ask("POST", "/v1/tunnels", smallest)
            let any = try await begin("wait=30s", on: daemon)
            let other = try await begin("wait=30s", headers: [#"If-None-Match: "1""#], on: daemon)
            _ = try daemon.ask("PATCH", "/v1/tunnels/tun_a", #"{"comment": "b"}"#)
            #expect(try any.wait()["revision"] == .integer(2))
            #expect(try other.wait()["revision"] == .integer(2))
            // It has another one already.
            let now = try daemon.ask("GET", "/v1/tunnels/tun_a?wait=30s", headers: [#"If-None-Match: "1""#])
            #expect(now["revision"] == .integer(2))
            let same = try await begin("wait=1", headers: [#"If-None-Match: "2""#], on: daemon)
            daemon.clock.advance(by: .seconds(1))
            let answer = try same.wait()
            #expect(answer.status == 304)
            #expect(answer.headers["wait-outcome"] == "timeout")
            let deleted = try await begin("wait=30s", on: daemon)
            _ = try daemon.ask("DELETE", "/v1/tunnels/tun_a")
            #expect(try deleted.wait().status == 204)
        }
    }

    @Test func whoLeavesIsForgotten() async throws {
        try await withDaemon { daemon in
            var pending: [PendingAnswer] = []
            for _ in 0..<10 { pending.append(try await begin("wait=300s&until=state:up", on: daemon)) }
            #expect(daemon.server.statistics.deferredAnswers == 10)
            pending = []
            try await daemon.expect { daemon.api.watchers.count == 0 }
            try await daemon.expect { daemon.server.statistics.deferredAnswers == 0 }
        }
    }

    @Test func aStopAnswersThem() async throws {
        let daemon = try await Daemon()
        let pending = try await begin("wait=300s&until=state:up", on: daemon)
        daemon.api.stopWaiting()
        try pending.wait().expect(503, .stopping)
        try daemon.ask("GET", "/v1/tunnels/tun_a?wait=300s&until=state:up").expect(503, .stopping)
        daemon.stop()
    }

    @Test func aTokenThatIsRevokedMeanwhileIsToldNothing() async throws {
        try await withDaemon { daemon in
            let (text, token) = try daemon.createToken(.read)
            let header = "Authorization: Bearer \(text)"
            let pending = try await begin("wait=300s&until=state:up", headers: [header], on: daemon, tcp: true)
            _ = try daemon.store.revokeToken(id: token.id, at: Timestamp(milliseconds: 0), by: "test")
            try daemon.api.refreshTokens()
            _ = try daemon.ask("POST", "/v1/tunnels", smallest)
            try pending.wait().expect(401, .unauthenticated)
        }
    }

    @Test(arguments: [
        "wait=-1s", "wait=00s", "wait=301s", "wait=x", "wait=1m", "wait=01s", "wait=", "until=absent",
        "wait=1s&until=state:gone",
        "wait=1s&until=state", "wait=1s&until=revision:0", "wait=1s&until=revision:x", "wait=1s&until=absent:1",
        "wait=1s&wait=2s", "wait=1s&until=",
    ])
    func badParameters(query: String) async throws {
        try await withDaemon { daemon in
            try daemon.ask("GET", "/v1/tunnels/tun_a?\(query)").expect(400, .invalidParameter)
        }
    }
}

extension Daemon {
    /// Lets others run until it is so; fails when that takes too long.
    func expect(_ condition: () -> Bool, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let end = ContinuousClock.now + .seconds(20)
        while !condition() {
            guard ContinuousClock.now < end else {
                Issue.record("it never became so", sourceLocation: sourceLocation)
                return
            }
            await Task.yield()
        }
    }
}
