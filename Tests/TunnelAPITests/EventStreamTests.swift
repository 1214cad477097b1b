import Testing
import TunnelStore
import Tunnels

@testable import TunnelAPI

@Suite struct EventStreamTests {
    private let smallest = #"{"name": "tun_a", "remote": "172.16.1.62"}"#

    @Test func aStreamBeginsWithWhatIsNew() async throws {
        try await withDaemon { daemon in
            try daemon.record(2)
            let client = try EventClient(daemon.unix)
            #expect(client.status == 200)
            #expect(client.head.contains("Content-Type: text/event-stream\r\n"))
            #expect(client.head.contains("Cache-Control: no-store\r\n"))
            #expect(try client.block() == "retry: 1000\nid: 2")
            _ = try daemon.ask("POST", "/v1/tunnels", smallest)
            let page = try daemon.ask("GET", "/v1/events?after=2")
            let data = page.text.dropFirst(#"{"items":["#.count).dropLast(#"],"next_cursor":null}"#.count)
            #expect(try client.block() == "id: 3\nevent: created\ndata: \(data)")
        }
    }

    @Test func aStreamIsResumedWhereItEnded() async throws {
        try await withDaemon { daemon in
            try daemon.record(1000)
            for (target, headers, first) in [
                ("/v1/events", ["Last-Event-ID: 400"], 401), ("/v1/events?after=999", [], 1000),
                // A browser that comes again asks for the same, and says what it has.
                ("/v1/events?after=1", ["Last-Event-ID: 998"], 999), ("/v1/events?after=0", [], 1),
                ("/v1/events?after=3", ["Last-Event-ID:"], 4),
            ] as [(String, [String], Int64)] {
                let client = try EventClient(daemon.unix, target, headers: headers)
                #expect(try client.ids(Int(1001 - first)) == Array(first...1000))
                try daemon.record(0)
            }
            let client = try EventClient(daemon.unix, headers: ["Last-Event-ID: 998"])
            #expect(try client.ids(2) == [999, 1000])
            try daemon.record(3)
            #expect(try client.ids(3) == [1001, 1002, 1003])
        }
    }

    @Test func eachGetsWhatItSelects() async throws {
        try await withDaemon { daemon in
            let all = try EventClient(daemon.unix)
            let some = try EventClient(daemon.unix, "/v1/events?type=created&type=deleted")
            let labelled = try EventClient(daemon.unix, "/v1/events?label=site:x&after=0")
            let one = try EventClient(daemon.unix, "/v1/events?tunnel=tun_a")
            _ = try daemon.ask("POST", "/v1/tunnels", smallest)
            try daemon.record(2)
            _ = try daemon.ask("DELETE", "/v1/tunnels/tun_a")
            #expect(try all.ids(4) == [1, 2, 3, 4])
            #expect(try some.ids(2) == [1, 4])
            #expect(try labelled.ids(2) == [2, 3])
            #expect(try one.ids(2) == [1, 4])
        }
    }

    /// What is passed over is passed: a resumption doesn't begin before it.
    @Test func aQuietStreamIsKeptOpenAndMovesOn() async throws {
        try await withDaemon { daemon in
            let client = try EventClient(daemon.unix, "/v1/events?type=deleted")
            let witness = try EventClient(daemon.unix)
            #expect(try client.block() == "retry: 1000\nid: 0")
            try daemon.record(5)
            #expect(try witness.ids(5) == [1, 2, 3, 4, 5])
            daemon.clock.advance(by: .seconds(15))
            #expect(try client.block() == ":\nid: 5")
            daemon.clock.advance(by: .seconds(15))
            #expect(try client.block() == ":\nid: 5")
        }
    }

    @Test func whoDoesNotReadGetsAllAfterwards() async throws {
        try await withDaemon { daemon in
            let slow = try EventClient(daemon.unix, receiveBuffer: 4096)
            let quick = try EventClient(daemon.unix)
            // More than the ring, the stream's buffer and the sockets' hold.
            let count = Int64(3 * EventRing.capacity)
            for first in stride(from: 1, through: count, by: 512) {
                try daemon.record(512)
                #expect(try quick.ids(512) == Array(first..<(first + 512)))
            }
            #expect(try slow.ids(Int(count)) == Array(1...count))
            try daemon.record(1)
            #expect(try slow.ids(1) == [count + 1])
            #expect(try quick.ids(1) == [count + 1])
        }
    }

    /// Its next events are gone: it has to come again to be told so.
    @Test func whoFallsBehindWhatIsKeptIsEnded() async throws {
        try await withDaemon { daemon in
            let slow = try EventClient(daemon.unix, receiveBuffer: 4096)
            let witness = try EventClient(daemon.unix, "/v1/events?type=deleted")
            for _ in 0..<(4 * EventRing.capacity / 512) { try daemon.record(512) }
            _ = try daemon.ask("POST", "/v1/tunnels", smallest)
            _ = try daemon.ask("DELETE", "/v1/tunnels/tun_a")
            #expect(try witness.ids(1).count == 1)
            try daemon.store.pruneEvents(keeping: 10)
            let ids = try slow.ids(.max)
            #expect(ids == Array(1...Int64(ids.count)))
            #expect(ids.count < 4 * EventRing.capacity)
        }
    }

    @Test func whatAnotherProcessWritesComesToo() async throws {
        try await withDaemon { daemon in
            let client = try EventClient(daemon.unix)
            let (_, token) = try daemon.createToken(.read)
            _ = try daemon.store.revokeToken(id: token.id, at: Timestamp(milliseconds: 0), by: "test")
            #expect(try client.ids(2) == [1, 2])
        }
    }

    @Test func aRevokedTokensStreamEnds() async throws {
        try await withDaemon { daemon in
            let (mine, others) = (try daemon.createToken(.read), try daemon.createToken(.read))
            let ended = try EventClient(daemon.tcp, headers: ["Authorization: Bearer \(mine.text)"])
            let kept = try EventClient(daemon.tcp, headers: ["Authorization: Bearer \(others.text)"])
            let root = try EventClient(daemon.unix)
            _ = try daemon.store.revokeToken(id: mine.token.id, at: Timestamp(milliseconds: 0), by: "test")
            try daemon.api.refreshTokens()
            // The revocation itself may have been sent before.
            #expect(try ended.ids(2).count <= 1)
            #expect(try ended.block() == nil)
            try daemon.record(1)
            #expect(try kept.ids(2) == [3, 4])
            #expect(try root.ids(2) == [3, 4])
            #expect(try EventClient(daemon.tcp).status == 401)
        }
    }

    @Test func onlyWhoAsksForAStreamGetsOne() async throws {
        try await withDaemon { daemon in
            for accept in ["*/*", "application/json", "text/*", "text/event-stream;q=0", "text/event-streams"] {
                let answer = try daemon.ask("GET", "/v1/events", headers: ["Accept: \(accept)"])
                #expect(answer.headers["content-type"] == "application/json", "\(accept)")
            }
            for accept in ["application/json, Text/Event-Stream", "text/event-stream; q=0.5"] {
                #expect(try EventClient(daemon.unix, accept: accept).head.contains("text/event-stream"))
            }
            for (target, header) in [
                ("/v1/events?limit=1", ""), ("/v1/events?cursor=1", ""), ("/v1/events", "Last-Event-ID: x"),
            ] {
                let client = try EventClient(daemon.unix, target, headers: header.isEmpty ? [] : [header])
                #expect(client.status == 400)
            }
        }
    }

    @Test func stoppingEndsStreams() async throws {
        let daemon = try await Daemon()
        let clients = try (0..<5).map { _ in try EventClient(daemon.unix) }
        try daemon.record(1)
        for client in clients { #expect(try client.ids(1) == [1]) }
        daemon.stop()
        for client in clients { #expect(try client.block() == nil) }
    }
}
