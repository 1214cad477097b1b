import Synchronization
import Testing
import TunnelStore
import Tunnels

@testable import TunnelAPI

/// Each POST route has retries: what is done once is answered again.
@Suite struct RetryRoutesTests {
    private let key = ["Idempotency-Key: k"]
    private let set = #"{"tunnels": [{"name": "tun_a", "remote": "172.16.1.62"}]}"#

    /// Checks that a retry gets the first answer, and another request with the key none.
    private func expectReplay(
        of first: HTTPAnswer, _ path: String, _ body: String? = nil, other: (path: String, body: String?),
        _ key: String,
        in daemon: Daemon, at location: SourceLocation = #_sourceLocation
    ) throws {
        #expect(first.headers["idempotent-replayed"] == nil, sourceLocation: location)
        let events = try daemon.store.events(after: 0, limit: 100).count
        let again = try daemon.ask("POST", path, body, headers: ["Idempotency-Key: \(key)"])
        #expect(again.status == first.status, "\(again.text)", sourceLocation: location)
        #expect(again.body == first.body, sourceLocation: location)
        #expect(again.headers["idempotent-replayed"] == "true", sourceLocation: location)
        for name in ["location", "etag", "content-type", "preference-applied"] {
            #expect(again.headers[name] == first.headers[name], sourceLocation: location)
        }
        try daemon.ask("POST", other.path, other.body, headers: ["Idempotency-Key: \(key)"])
            .expect(422, .idempotencyKeyReused, sourceLocation: location)
        #expect(try daemon.store.events(after: 0, limit: 100).count == events, sourceLocation: location)
    }

    // MARK: - Sets

    @Test func aSetIsAppliedOnce() async throws {
        try await withDaemon { daemon in
            let first = try daemon.ask("POST", "/v1/apply", set, headers: key)
            #expect(first.status == 200 && first["counts.create"] == .integer(1), "\(first.text)")
            #expect(first.headers["etag"] == "\"1\"" && first["revision"] == .integer(1))
            #expect(try daemon.ask("GET", "/v1/tunnels").headers["etag"] == "\"1\"")
            #expect(try daemon.ask("GET", "/v1/tunnels/tun_a")["id"] == first["items.0.id"])
            _ = try daemon.ask("DELETE", "/v1/tunnels/tun_a")
            let other = #"{"tunnels": []}"#
            try expectReplay(of: first, "/v1/apply", set, other: ("/v1/apply", other), "k", in: daemon)
            try daemon.ask("GET", "/v1/tunnels/tun_a").expect(404, .tunnelNotFound)
        }
    }

    @Test func anUnchangedSetToo() async throws {
        try await withDaemon { daemon in
            _ = try daemon.ask("POST", "/v1/apply", set)
            let first = try daemon.ask("POST", "/v1/apply", set, headers: key)
            #expect(first["counts.keep"] == .integer(1))
            #expect(first.headers["etag"] == "\"1\"")
            try expectReplay(of: first, "/v1/apply", set, other: ("/v1/apply", set + " "), "k", in: daemon)
        }
    }

    /// A retry gets the checkpoint that waits, and doesn't meet it.
    @Test func aSetThatWaitsToBeConfirmedToo() async throws {
        try await withDaemon { daemon in
            let body = #"{"tunnels": [{"name": "tun_a", "remote": "172.16.1.62"}], "confirm_within_seconds": 60}"#
            let first = try daemon.ask("POST", "/v1/apply", body, headers: key)
            #expect(first["checkpoint.state"] == .string("pending"), "\(first.text)")
            #expect(try daemon.ask("GET", "/v1/checkpoints")["items.0"] == first["checkpoint"])
            try expectReplay(of: first, "/v1/apply", body, other: ("/v1/apply", set), "k", in: daemon)
        }
    }

    @Test func whatIsKeptOfASetIsShort() async throws {
        try await withDaemon { daemon in
            let whole = try daemon.ask("POST", "/v1/apply", set, headers: key + ["Prefer: return=representation"])
            #expect(whole["items.0.action"] == .string("create") && whole["items.0.tunnel"] == nil)
            #expect(whole.headers["preference-applied"] == nil)
            let headers = ["Idempotency-Key: least", "Prefer: return=minimal"]
            let least = try daemon.ask("POST", "/v1/apply", set, headers: headers)
            #expect(least["counts.keep"] == .integer(1) && least["items"] == nil)
            #expect(least.headers["preference-applied"] == "return=minimal")
            try expectReplay(of: least, "/v1/apply", set, other: ("/v1/apply", "[]"), "least", in: daemon)
        }
    }

    @Test func aDryRunIsNotKept() async throws {
        try await withDaemon { daemon in
            let plan = #"{"tunnels": [{"name": "tun_a", "remote": "172.16.1.62"}], "dry_run": true}"#
            for _ in 1...2 {
                let answer = try daemon.ask("POST", "/v1/apply", plan, headers: key)
                #expect(answer.status == 200 && answer["dry_run"] == .bool(true), "\(answer.text)")
                #expect(answer.headers["idempotent-replayed"] == nil)
            }
            try daemon.ask("POST", "/v1/apply", plan, headers: ["Idempotency-Key: a b"])
                .expect(400, .invalidParameter)
            // The key is still free for what is planned.
            let done = try daemon.ask("POST", "/v1/apply", set, headers: key)
            #expect(done["counts.create"] == .integer(1), "\(done.text)")
        }
    }

    @Test func aRefusedSetIsNotKept() async throws {
        try await withDaemon { daemon in
            let problem = TunnelProblem(.kindUnsupported, "no module")
            daemon.kernel.state.withLock { $0.refusals["tun_a"] = problem }
            #expect(try daemon.ask("POST", "/v1/apply", set, headers: key).status == 503)
            try daemon.ask("POST", "/v1/apply", "{", headers: key).expect(400, .invalidJSON)
            try daemon.ask("POST", "/v1/apply", set, headers: key + ["If-Match: \"9\""])
                .expect(412, .preconditionFailed)
            daemon.kernel.state.withLock { $0.refusals["tun_a"] = nil }
            let answer = try daemon.ask("POST", "/v1/apply", set, headers: key)
            #expect(answer.status == 200 && answer.headers["idempotent-replayed"] == nil, "\(answer.text)")
        }
    }

    // MARK: - Checkpoints

    private func checkpoint(_ daemon: Daemon, of remote: String = "172.16.1.62") throws -> String {
        let body = #"{"tunnels": [{"name": "tun_a", "remote": "\#(remote)"}], "confirm_within_seconds": 60}"#
        let answer = try daemon.ask("POST", "/v1/apply", body)
        guard case .string(let id)? = answer["checkpoint.id"] else { throw NoCheckpoint(answer: answer.text) }
        return id
    }

    private struct NoCheckpoint: Error { let answer: String }

    @Test(arguments: ["confirm", "revert"])
    func aCheckpointIsEndedOnce(how: String) async throws {
        try await withDaemon { daemon in
            let path = "/v1/checkpoints/\(try checkpoint(daemon))"
            // Not kept: the key is free afterwards.
            let none = "/v1/checkpoints/019ab3c4-5d6e-7f00-8a1b-2c3d4e5f6071/\(how)"
            try daemon.ask("POST", none, headers: key).expect(404, .checkpointNotFound)
            let first = try daemon.ask("POST", "\(path)/\(how)", headers: key)
            #expect(first.status == 200, "\(first.text)")
            let other = how == "confirm" ? "revert" : "confirm"
            try expectReplay(of: first, "\(path)/\(how)", other: ("\(path)/\(other)", nil), "k", in: daemon)
            // One that has ended so already has an answer too.
            let second = try daemon.ask("POST", "\(path)/\(how)", headers: ["Idempotency-Key: l"])
            #expect(second.body == first.body)
            try expectReplay(of: second, "\(path)/\(how)", other: (none, nil), "l", in: daemon)
        }
    }

    @Test func aRevertThatTheKernelRefusesIsToldAgain() async throws {
        try await withDaemon { daemon in
            _ = try daemon.ask("POST", "/v1/tunnels", #"{"name": "tun_a", "remote": "172.16.1.99"}"#)
            let path = "/v1/checkpoints/\(try checkpoint(daemon))/revert"
            daemon.kernel.state.withLock { $0.refusals["tun_a"] = TunnelProblem(.kernelRefused, "no.") }
            let first = try daemon.ask("POST", path, headers: key)
            #expect(first["failures.0.tunnel"] == .string("tun_a"), "\(first.text)")
            try expectReplay(of: first, path, other: ("/v1/apply", set), "k", in: daemon)
        }
    }

    // MARK: - Adoption

    @Test func aLinkChangesHandsOnce() async throws {
        try await withDaemon { daemon in
            let (adopt, unmanage) = ("/v1/links/by_hand/adopt", "/v1/tunnels/by_hand/unmanage")
            try daemon.ask("POST", adopt, headers: key).expect(404, .linkNotFound)
            let parameters = LinkParameters(local: nil, remote: IPv4Address(172, 16, 1, 62))
            var found = UnmanagedTunnel(
                ObservedLink(ifindex: 9, name: "by_hand", kind: "ipip", isUp: true, mtu: 1480, parameters: parameters))
            found.path = UnderlayPath(ifindex: 2, mtu: 1500, prefixLength: 16)
            daemon.kernel.state.withLock { [found] in $0.unmanaged["by_hand"] = found }

            let body = #"{"comment": "c"}"#
            let adopted = try daemon.ask("POST", adopt, body, headers: key)
            #expect(adopted.status == 201 && adopted["status.state"] == .string("up"), "\(adopted.text)")
            try expectReplay(of: adopted, adopt, body, other: (adopt, nil), "k", in: daemon)

            let unmanaging = ["Idempotency-Key: u"]
            try daemon.ask("POST", unmanage, headers: unmanaging + ["If-Match: \"2\""]).expect(412, .preconditionFailed)
            let gone = try daemon.ask("POST", unmanage, headers: unmanaging)
            #expect(gone.status == 204, "\(gone.text)")
            try expectReplay(of: gone, unmanage, other: ("/v1/tunnels/tun_b/unmanage", nil), "u", in: daemon)
            try expectReplay(of: adopted, adopt, body, other: (adopt, nil), "k", in: daemon)
        }
    }
}
