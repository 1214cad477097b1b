import HTTPServer
import Logging
import Reconciler
import Synchronization
import Testing
import TunnelStore
import Tunnels

@testable import TunnelAPI

@Suite struct IdempotencyTests {
    private let smallest = #"{"name": "tun_a", "remote": "172.16.1.62"}"#
    private let key = ["Idempotency-Key: 8e03978e"]

    @Test func aRetryGetsTheFirstAnswer() async throws {
        try await withDaemon { daemon in
            let first = try daemon.ask("POST", "/v1/tunnels", smallest, headers: key)
            #expect(first.status == 201)
            #expect(first.headers["idempotent-replayed"] == nil)
            // What became of the tunnel since doesn't matter.
            _ = try daemon.ask("PATCH", "/v1/tunnels/tun_a", #"{"comment": "x"}"#)
            for form in ["8e03978e", #""8e03978e""#] {
                let again = try daemon.ask("POST", "/v1/tunnels", smallest, headers: ["Idempotency-Key: \(form)"])
                #expect(again.status == 201)
                #expect(again.body == first.body)
                #expect(again.headers["idempotent-replayed"] == "true")
                for name in ["location", "etag", "content-type"] { #expect(again.headers[name] == first.headers[name]) }
            }
            _ = try daemon.ask("DELETE", "/v1/tunnels/tun_a")
            #expect(try daemon.ask("POST", "/v1/tunnels", smallest, headers: key).body == first.body)
            try daemon.ask("GET", "/v1/tunnels/tun_a").expect(404, .tunnelNotFound)
            #expect(try daemon.store.events(after: 0, limit: 100).map(\.event.kind) == [.created, .updated, .deleted])
        }
    }

    @Test func anAsynchronousAnswerToo() async throws {
        try await withDaemon { daemon in
            let headers = key + ["Prefer: respond-async"]
            let first = try daemon.ask("POST", "/v1/tunnels", smallest, headers: headers)
            #expect(first.status == 202)
            let again = try daemon.ask("POST", "/v1/tunnels", smallest, headers: headers)
            #expect(again.status == 202)
            #expect(again.body == first.body)
            #expect(again.headers["preference-applied"] == "respond-async")
        }
    }

    @Test func aKeyStandsForOneRequest() async throws {
        try await withDaemon { daemon in
            _ = try daemon.ask("POST", "/v1/tunnels", smallest, headers: key)
            let other = #"{"name": "tun_b", "remote": "172.16.1.63"}"#
            try daemon.ask("POST", "/v1/tunnels", other, headers: key).expect(422, .idempotencyKeyReused)
            try daemon.ask("POST", "/v1/tunnels", smallest + " ", headers: key).expect(422, .idempotencyKeyReused)
            try daemon.ask("GET", "/v1/tunnels/tun_b").expect(404, .tunnelNotFound)
        }
    }

    @Test func eachHasKeysOfItsOwn() async throws {
        try await withDaemon { daemon in
            _ = try daemon.ask("POST", "/v1/tunnels", smallest, headers: key)
            let token = try daemon.createToken(.write).text
            let headers = key + ["Authorization: Bearer \(token)", "Content-Type: application/json"]
            try send("POST", "/v1/tunnels", headers: headers, body: smallest, to: daemon.tcp).expect(409, .nameTaken)
        }
    }

    /// A refusal left nothing, so a retry may well be done.
    @Test func aRefusalIsNotKept() async throws {
        try await withDaemon { daemon in
            let problem = TunnelProblem(.kindUnsupported, "no module")
            daemon.kernel.state.withLock { $0.refusals["tun_a"] = problem }
            try daemon.ask("POST", "/v1/tunnels", smallest, headers: key).expect(503, .kindUnsupported)
            try daemon.ask("POST", "/v1/tunnels", "{", headers: key).expect(400, .invalidJSON)
            daemon.kernel.state.withLock { $0.refusals["tun_a"] = nil }
            let answer = try daemon.ask("POST", "/v1/tunnels", smallest, headers: key)
            #expect(answer.status == 201)
            #expect(answer.headers["idempotent-replayed"] == nil)
        }
    }

    @Test func aDayLaterItIsAnotherRequest() async throws {
        try await withDaemon { daemon in
            _ = try daemon.ask("POST", "/v1/tunnels", smallest, headers: key)
            _ = try daemon.ask("DELETE", "/v1/tunnels/tun_a")
            let present = Timestamp(milliseconds: 1_767_323_045_678)
            for (age, isReplayed) in [
                (KeptAnswer.lifetimeMilliseconds - 1, true), (KeptAnswer.lifetimeMilliseconds, false),
            ] {
                var kept = try #require(try daemon.store.answer(to: "8e03978e", of: "uid 0"))
                kept.at = Timestamp(milliseconds: present.milliseconds - age)
                try daemon.store.write { (transaction) throws(StoreError) in try transaction.keep(kept) }
                let answer = try daemon.ask("POST", "/v1/tunnels", smallest, headers: key)
                #expect((answer.headers["idempotent-replayed"] == "true") == isReplayed)
                #expect(answer.status == 201)
            }
        }
    }

    @Test func aRetryOfWhatIsBeingDoneIsRefused() async throws {
        try await withDaemon { daemon in
            // The writer waits until it is told to go on.
            let gate = Gate()
            let route: @Sendable (Attempt?) throws -> Answer = { attempt in
                gate.open.withLock { $0 = attempt }
                return Answer.deferred { responder in gate.responder.withLock { $0 = responder } }
            }
            let retries = Retries(history: daemon.store, timing: .system)
            let server = try Server(
                router: Router([Route(.post, "/v1/tunnels") { request in try retries.once(request, route) }]),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                onError: { daemon.api.response(to: $0, $1) })
            let address = try server.listen(on: .tcp(address: "127.0.0.1", port: 0))
            defer { server.stop(grace: .zero) }
            let first = try PendingAnswer(
                "POST", "/v1/tunnels", headers: key + ["Connection: close"], body: "a", to: address)
            try await daemon.expect { gate.responder.withLock { $0 != nil } }
            let again = try send("POST", "/v1/tunnels", headers: key, body: "a", to: address)
            again.expect(409, .idempotencyKeyInUse)
            #expect(again.headers["retry-after"] == "1")
            try send("POST", "/v1/tunnels", headers: key, body: "b", to: address).expect(422, .idempotencyKeyReused)
            _ = gate.open.withLock { $0?.end() }
            gate.responder.withLock { $0?.answer(Response(text: "done")) }
            #expect(try first.wait().text == "done")
            gate.responder.withLock { $0 = nil }
            // The first attempt's end doesn't let go of what the next one has.
            let second = try PendingAnswer(
                "POST", "/v1/tunnels", headers: key + ["Connection: close"], body: "a", to: address)
            try await daemon.expect { gate.responder.withLock { $0 != nil } }
            try send("POST", "/v1/tunnels", headers: key, body: "a", to: address).expect(409, .idempotencyKeyInUse)
            gate.open.withLock { $0 = nil }
            gate.responder.withLock { $0?.answer(Response(text: "done")) }
            #expect(try second.wait().text == "done")
        }
    }

    private final class Gate: Sendable {
        let open = Mutex<Attempt?>(nil)
        let responder = Mutex<Responder?>(nil)
    }

    @Test(arguments: [
        ("", false), ("\"\"", false), ("a b", false), ("\"a", false), ("a\"", false), ("\"a\"b", false), ("ä", false),
        (String(repeating: "k", count: 256), false), (#""a\b""#, false), (String(repeating: "k", count: 255), true),
        (#""a\"\\""#, true), ("a,b;c=\\", true),
    ])
    func forms(key: String, isGood: Bool) async throws {
        try await withDaemon { daemon in
            let answer = try daemon.ask("POST", "/v1/tunnels", smallest, headers: ["Idempotency-Key: \(key)"])
            if isGood { #expect(answer.status == 201) } else { answer.expect(400, .invalidParameter) }
        }
    }

    @Test func twoKeysAreNone() async throws {
        try await withDaemon { daemon in
            try daemon.ask("POST", "/v1/tunnels", smallest, headers: key + ["Idempotency-Key: b"])
                .expect(400, .invalidParameter)
        }
    }
}
