import HTTPServer
import Synchronization
import Testing
import TunnelStore
import Tunnels

@testable import TunnelAPI

@Suite struct CheckpointRoutesTests {
    /// Makes `tun_a`, and waits for it to be confirmed.
    private func apply(_ daemon: Daemon, _ more: String = "", expect status: Int = 200) throws -> HTTPAnswer {
        let body = #"{"tunnels": [{"name": "tun_a", "remote": "172.16.1.62"}], "confirm_within_seconds": 60\#(more)}"#
        let answer = try daemon.ask("POST", "/v1/apply", body)
        #expect(answer.status == status, "\(answer.text)")
        return answer
    }

    private func id(_ answer: HTTPAnswer) throws -> String {
        guard case .string(let id)? = answer["checkpoint.id"] else { throw NoCheckpoint() }
        return id
    }

    private struct NoCheckpoint: Error {}

    @Test func theAnswerSaysWhatWaitsAndUntilWhen() async throws {
        try await withDaemon { daemon in
            let answer = try apply(daemon)
            let id = try id(answer)
            #expect(
                answer["checkpoint"]
                    == .object([
                        "id": .string(id), "state": .string("pending"),
                        "created_at": .string("2026-01-02T03:04:05.678Z"),
                        "deadline": .string("2026-01-02T03:05:05.678Z"), "actor": answer["checkpoint.actor"] ?? .null,
                        "tunnels": .integer(1), "confirm_when": .null, "ended_at": .null, "ended_by": .null,
                        "failures": .array([]),
                    ]))
            let read = try daemon.ask("GET", "/v1/checkpoints/\(id)")
            #expect(read.status == 200 && read.json == answer["checkpoint"])
            #expect(try daemon.ask("GET", "/v1/checkpoints")["items.0"] == answer["checkpoint"])
        }
    }

    @Test func withoutAChangeOrAWishThereIsNone() async throws {
        try await withDaemon { daemon in
            let body = #"{"tunnels": [{"name": "tun_a", "remote": "172.16.1.62"}]}"#
            let unasked = try daemon.ask("POST", "/v1/apply", body)
            #expect(unasked.status == 200 && unasked["checkpoint"] == .null)
            #expect(try apply(daemon)["checkpoint"] == .null)
            #expect(try daemon.ask("GET", "/v1/checkpoints")["items"] == .array([]))
        }
    }

    @Test func othersWaitMeanwhile() async throws {
        try await withDaemon { daemon in
            let id = try id(try apply(daemon))
            let body = #"{"name": "tun_b", "remote": "172.16.1.63"}"#
            for (method, path, body) in [
                ("POST", "/v1/tunnels", body), ("PUT", "/v1/tunnels/tun_b", body),
                ("PATCH", "/v1/tunnels/tun_a", #"{"mtu": 1400}"#), ("DELETE", "/v1/tunnels/tun_a", nil),
                ("POST", "/v1/apply", #"{"tunnels": []}"#),
            ] {
                let answer = try daemon.ask(method, path, body)
                answer.expect(409, .checkpointPending)
                #expect(answer["checkpoint"] == .string(id))
                #expect(answer["deadline"] == .string("2026-01-02T03:05:05.678Z"))
                #expect(answer.text.contains("POST /v1/checkpoints/\(id)/confirm keeps it"))
                #expect(answer.text.contains("POST /v1/checkpoints/\(id)/revert takes it back"))
            }
            #expect(try daemon.ask("POST", "/v1/checkpoints/\(id)/confirm").status == 200)
            #expect(try daemon.ask("POST", "/v1/tunnels", body).status == 201)
        }
    }

    @Test func confirming() async throws {
        try await withDaemon { daemon in
            let id = try id(try apply(daemon))
            let answer = try daemon.ask("POST", "/v1/checkpoints/\(id)/confirm")
            #expect(answer.status == 200)
            #expect(answer["state"] == .string("confirmed"))
            #expect(answer["ended_at"] == .string("2026-01-02T03:04:05.678Z"))
            #expect(answer["ended_by"] == answer["actor"])
            #expect(try daemon.ask("POST", "/v1/checkpoints/\(id)/confirm").json == answer.json)
            let late = try daemon.ask("POST", "/v1/checkpoints/\(id)/revert")
            late.expect(409, .checkpointEnded)
            #expect(late.text.contains("confirmed at 2026-01-02T03:04:05.678Z by"))
            #expect(try daemon.ask("GET", "/v1/tunnels/tun_a").status == 200)
        }
    }

    @Test func reverting() async throws {
        try await withDaemon { daemon in
            _ = try daemon.ask("POST", "/v1/tunnels", #"{"name": "tun_a", "remote": "172.16.1.99"}"#)
            let id = try id(try apply(daemon))
            let answer = try daemon.ask("POST", "/v1/checkpoints/\(id)/revert")
            #expect(answer.status == 200 && answer["state"] == .string("reverted"), "\(answer.text)")
            let tunnel = try daemon.ask("GET", "/v1/tunnels/tun_a")
            #expect(tunnel["remote"] == .string("172.16.1.99") && tunnel["revision"] == .integer(3))
            #expect(try daemon.ask("GET", "/v1/checkpoints/\(id)").json == answer.json)
        }
    }

    @Test func whatTheKernelRefusesOfARevertIsTold() async throws {
        try await withDaemon { daemon in
            _ = try daemon.ask("POST", "/v1/tunnels", #"{"name": "tun_a", "remote": "172.16.1.99"}"#)
            let id = try id(try apply(daemon))
            let problem = TunnelProblem(.kernelRefused, "no.", errno: "EINVAL", kernelMessage: "words")
            daemon.kernel.state.withLock { $0.refusals["tun_a"] = problem }
            let answer = try daemon.ask("POST", "/v1/checkpoints/\(id)/revert")
            #expect(answer.status == 200 && answer["state"] == .string("reverted"), "\(answer.text)")
            #expect(answer["failures.0.tunnel"] == .string("tun_a"))
            #expect(answer["failures.0.problem.type"] == .string("/problems/kernel-refused"))
            #expect(answer["failures.0.problem.errno"] == .string("EINVAL"))
            let tunnel = try daemon.ask("GET", "/v1/tunnels/tun_a")
            #expect(tunnel["remote"] == .string("172.16.1.99") && tunnel["status.state"] == .string("failed"))
        }
    }

    @Test func aProbeIsShown() async throws {
        try await withDaemon { daemon in
            let more = #", "confirm_when": {"answers": "192.168.1.254", "through": "tun_a"}"#
            let answer = try apply(daemon, more)
            #expect(answer["checkpoint.confirm_when.answers"] == .string("192.168.1.254"))
            #expect(answer["checkpoint.confirm_when.through"] == .string("tun_a"))
        }
    }

    @Test(arguments: [
        (#""confirm_within_seconds": 0"#, 422, ProblemType.invalidValue, "/confirm_within_seconds"),
        (#""confirm_within_seconds": 86401"#, 422, .invalidValue, "/confirm_within_seconds"),
        (#""confirm_within_seconds": "9""#, 400, .invalidShape, "/confirm_within_seconds"),
        (#""confirm_when": {"answers": "10.0.0.1", "through": "x"}"#, 422, .invalidValue, "/confirm_within_seconds"),
        (#""confirm_within_seconds": 9, "confirm_when": []"#, 400, .invalidShape, "/confirm_when"),
        (
            #""confirm_within_seconds": 9, "confirm_when": {"through": "x"}"#, 400, .invalidShape,
            "/confirm_when/answers"
        ),
        (
            #""confirm_within_seconds": 9, "confirm_when": {"answers": "10.0.0.1", "through": "x", "y": 1}"#, 400,
            .invalidShape, "/confirm_when/y"
        ),
        (
            #""confirm_within_seconds": 9, "confirm_when": {"answers": "224.0.0.1", "through": "x"}"#, 422,
            .invalidValue, "/confirm_when/answers"
        ),
        (
            #""confirm_within_seconds": 9, "confirm_when": {"answers": "10.0.0.1", "through": "x"}"#, 422,
            .invalidValue, "/confirm_when/through"
        ),
    ])
    func whatCannotBeIsRefused(members: String, status: Int, type: ProblemType, pointer: String) async throws {
        try await withDaemon { daemon in
            let answer = try daemon.ask("POST", "/v1/apply", #"{"tunnels": [], \#(members)}"#)
            answer.expect(status, type)
            #expect(answer["errors.0.pointer"] == .string(pointer), "\(answer.text)")
        }
    }

    @Test func thereIsNoSuchCheckpoint() async throws {
        try await withDaemon { daemon in
            let none = "019ab3c4-5d6e-7f00-8a1b-2c3d4e5f6071"
            try daemon.ask("GET", "/v1/checkpoints/\(none)").expect(404, .checkpointNotFound)
            try daemon.ask("GET", "/v1/checkpoints/none").expect(404, .checkpointNotFound)
            try daemon.ask("POST", "/v1/checkpoints/\(none)/confirm").expect(404, .checkpointNotFound)
            try daemon.ask("POST", "/v1/checkpoints/\(none)/revert").expect(404, .checkpointNotFound)
            try daemon.ask("POST", "/v1/checkpoints/\(none)/confirm", "{}").expect(400, .invalidShape)
            try daemon.ask("GET", "/v1/checkpoints?limit=0").expect(400, .invalidParameter)
            try daemon.ask("GET", "/v1/checkpoints?limit=202").expect(400, .invalidParameter)
            #expect(try daemon.ask("GET", "/v1/checkpoints?limit=201").status == 200)
        }
    }

    @Test func toEndOneTakesTheScopeWrite() async throws {
        try await withDaemon { daemon in
            let id = try id(try apply(daemon))
            let token = try daemon.createToken(.read).text
            let headers = ["Authorization: Bearer \(token)"]
            let read = try send("GET", "/v1/checkpoints/\(id)", headers: headers, to: daemon.tcp)
            #expect(read.status == 200)
            for end in ["confirm", "revert"] {
                let path = "/v1/checkpoints/\(id)/\(end)"
                try send("POST", path, headers: headers, to: daemon.tcp).expect(403, .forbidden)
            }
            #expect(try daemon.ask("GET", "/v1/checkpoints/\(id)")["state"] == .string("pending"))
        }
    }
}
