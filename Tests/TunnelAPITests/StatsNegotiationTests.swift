import HTTPServer
import Testing
import Tunnels

@testable import TunnelAPI

/// What saves sending statistics.
@Suite struct StatsNegotiationTests {
    private func withTunnel(_ body: (Daemon) throws -> Void) async throws {
        try await withDaemon { daemon in
            _ = try daemon.ask("POST", "/v1/tunnels", #"{"name": "tun_a", "remote": "172.16.1.62"}"#)
            try body(daemon)
        }
    }

    @Test func aSampleHasATagOfItsOwn() async throws {
        try await withTunnel { daemon in
            let first = try daemon.ask("GET", "/v1/stats")
            let tag = try #require(first.headers["etag"])
            #expect(tag.hasPrefix("\"") && tag.hasSuffix("-1\""))
            #expect(first.headers["vary"] == "Accept-Encoding")
            #expect(first.headers["cache-control"] == "no-cache")
            let known = try daemon.ask("GET", "/v1/stats", headers: ["If-None-Match: \(tag)"])
            #expect(known.status == 304)
            #expect(known.body.isEmpty)
            #expect(known.headers["etag"] == tag)
            daemon.clock.advance(by: .seconds(2))
            let later = try daemon.ask("GET", "/v1/stats", headers: ["If-None-Match: \(tag)"])
            #expect(later.status == 200)
            #expect(later.headers["etag"]?.hasSuffix("-2\"") == true)
        }
    }

    @Test func whatCannotBeATagIsRefused() async throws {
        try await withTunnel { daemon in
            try daemon.ask("GET", "/v1/stats", headers: ["If-None-Match: 7"]).expect(400, .invalidParameter)
        }
    }

    @Test func itIsCompressedWhereThatIsAccepted() async throws {
        try await withTunnel { daemon in
            let plain = try daemon.ask("GET", "/v1/stats")
            let compressed = try daemon.ask("GET", "/v1/stats", headers: ["Accept-Encoding: gzip"])
            #expect(compressed.headers["content-encoding"] == "gzip")
            #expect(compressed.body == Gzip.compress(plain.body, level: SampleFrame.compression))
            let tag = try #require(compressed.headers["etag"])
            #expect(tag != plain.headers["etag"])
            #expect(try daemon.ask("GET", "/v1/stats", headers: ["If-None-Match: \(tag)"]).status == 304)
        }
    }
}
