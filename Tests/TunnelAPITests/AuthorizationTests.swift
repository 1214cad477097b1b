import Synchronization
import Testing
import TunnelStore
import Tunnels

@testable import TunnelAPI

@Suite struct AuthorizationTests {
    private func ask(
        _ daemon: Daemon, _ method: String, _ target: String, token: String? = nil, body: String? = nil
    ) throws -> HTTPAnswer {
        let headers =
            ["Content-Type: application/json"] + (token.map { ["Authorization: Bearer \($0)"] } ?? [])
        return try send(method, target, headers: headers, body: body, to: daemon.tcp)
    }

    @Test func overTCPATokenIsNeeded() async throws {
        try await withDaemon { daemon in
            for target in ["/v1/tunnels", "/v1/host", "/metrics", "/nothing", "/v1/version"] {
                let answer = try ask(daemon, "GET", target)
                answer.expect(401, .unauthenticated)
                #expect(answer.headers["www-authenticate"] == "Bearer realm=\"tunneld\"")
            }
            let answer = try ask(daemon, "GET", "/v1/tunnels", token: "nonsense")
            answer.expect(401, .unauthenticated)
            #expect(answer.headers["www-authenticate"] == "Bearer realm=\"tunneld\", error=\"invalid_token\"")
            for header in ["Basic eDp5", "Bearer", "Bearer a b"] {
                try send("GET", "/v1/tunnels", headers: ["Authorization: \(header)"], to: daemon.tcp)
                    .expect(401, .unauthenticated)
            }
        }
    }

    @Test func someIsOpen() async throws {
        try await withDaemon { daemon in
            for target in ["/livez", "/readyz", "/openapi.yaml", "/problems/forbidden"] {
                #expect(try ask(daemon, "GET", target).status == 200)
                #expect(try ask(daemon, "HEAD", target).status == 200)
                try ask(daemon, "DELETE", target).expect(401, .unauthenticated)
            }
        }
    }

    @Test func scopes() async throws {
        try await withDaemon { daemon in
            let read = try daemon.createToken(.read).text
            let write = try daemon.createToken(.write).text
            try daemon.api.refreshTokens()
            let body = #"{"name": "tun_a", "remote": "172.16.1.62"}"#
            #expect(try ask(daemon, "GET", "/v1/tunnels", token: read).status == 200)
            let refused = try ask(daemon, "POST", "/v1/tunnels", token: read, body: body)
            refused.expect(403, .forbidden)
            #expect(refused.headers["www-authenticate"]?.contains("insufficient_scope") == true)
            for method in ["PUT", "PATCH", "DELETE"] {
                try ask(daemon, method, "/v1/tunnels/tun_a", token: read, body: body).expect(403, .forbidden)
            }
            #expect(try ask(daemon, "POST", "/v1/tunnels", token: write, body: body).status == 201)
            #expect(try ask(daemon, "GET", "/v1/tunnels/tun_a", token: write).status == 200)
        }
    }

    /// A token that was just made works; a stranger doesn't make the daemon read the database each time.
    @Test func newTokensAreFoundAtABoundedRate() async throws {
        try await withDaemon { daemon in
            let first = try daemon.createToken(.read).text
            #expect(try ask(daemon, "GET", "/v1/tunnels", token: first).status == 200)
            let second = try daemon.createToken(.read).text
            try ask(daemon, "GET", "/v1/tunnels", token: second).expect(401, .unauthenticated)
            daemon.clock.advance(by: .seconds(1))
            #expect(try ask(daemon, "GET", "/v1/tunnels", token: second).status == 200)
        }
    }

    /// A token of another process works at once, however lately the tokens were read.
    @Test func newTokensOfAnotherProcessNeedNoPause() async throws {
        try await withDaemon { daemon in
            _ = try ask(daemon, "GET", "/v1/tunnels", token: daemon.createToken(.read).text)
            let second = try daemon.createToken(.read).text
            daemon.databaseVersion.number.wrappingAdd(1, ordering: .relaxed)
            #expect(try ask(daemon, "GET", "/v1/tunnels", token: second).status == 200)
        }
    }

    @Test func revokedTokensEndWithTheNextReading() async throws {
        try await withDaemon { daemon in
            let (text, token) = try daemon.createToken(.admin)
            #expect(try ask(daemon, "GET", "/v1/tunnels", token: text).status == 200)
            #expect(try daemon.store.revokeToken(id: token.id, at: Timestamp(milliseconds: 1), by: "test"))
            try daemon.api.refreshTokens()
            try ask(daemon, "GET", "/v1/tunnels", token: text).expect(401, .unauthenticated)
        }
    }

    @Test func theAuthorIsInTheHistory() async throws {
        try await withDaemon { daemon in
            let (text, token) = try daemon.createToken(.write)
            let body = #"{"name": "tun_a", "remote": "172.16.1.62"}"#
            #expect(try ask(daemon, "POST", "/v1/tunnels", token: text, body: body).status == 201)
            let actors = try daemon.store.events(after: 0, limit: 100).map(\.event.actor)
            #expect(actors.contains("token \(token.id)"))
        }
    }
}
