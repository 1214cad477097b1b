import Testing
import Tunnels

@testable import History
@testable import TunnelAPI

@Suite struct HistoryRoutesTests {
    /// Of the daemon's clock, which stands still at 2026-01-02T03:04:05.678Z.
    private static let now: Int64 = 1_767_323_045

    /// A daemon with a tunnel that received ten packets of 100 bytes in each second up to now, but for a gap.
    private func withHistory(_ body: (Daemon) async throws -> Void) async throws {
        try await withDaemon { daemon in
            #expect(try daemon.ask("POST", "/v1/tunnels", #"{"name":"a","remote":"172.16.1.62"}"#).status == 201)
            let created = try daemon.ask("GET", "/v1/tunnels/a")["id"]
            guard case .string(let text) = created else { return #expect(Bool(false)) }
            let id = try #require(TunnelID(text))
            var growth = LinkCounters()
            (growth.rx.packets, growth.rx.bytes, growth.tx.packets, growth.tx.bytes) = (10, 1000, 20, 2000)
            (growth.rx.errors, growth.tx.errors, growth.rx.dropped, growth.tx.dropped) = (1, 2, 3, 4)
            for second in Self.now - 99...Self.now {
                let isGap = (Self.now - 49..<Self.now - 39).contains(second)
                daemon.history.record(
                    until: Timestamp(milliseconds: second * 1000), seconds: 1, [(id, isGap ? nil : growth)])
            }
            try await body(daemon)
        }
    }

    private func numbers(_ answer: HTTPAnswer, _ member: String) -> [Double?] {
        guard case .array(let elements)? = answer[member] else { return [] }
        return elements.map { element in
            switch element {
            case .double(let value): value
            case .integer(let value): Double(value)
            default: nil
            }
        }
    }

    @Test func ratesAreThereWithGaps() async throws {
        try await withHistory { daemon in
            let query = "?from=2026-01-02T03:02:30Z&to=2026-01-02T03:04:00Z&step=30s"
            let answer = try daemon.ask("GET", "/v1/tunnels/a/stats/history\(query)")
            #expect(answer.status == 200)
            #expect(answer["name"] == .string("a"))
            #expect(answer["id"] == (try daemon.ask("GET", "/v1/tunnels/a"))["id"])
            #expect(answer["from"] == .string("2026-01-02T03:02:30.000Z"))
            #expect(answer["to"] == .string("2026-01-02T03:04:00.000Z"))
            #expect(answer["step_seconds"] == .integer(30) && answer["points"] == .integer(3))
            #expect(numbers(answer, "rx_bits_per_second") == [8000, 8000, 8000])
            #expect(numbers(answer, "rx_packets_per_second") == [10, 10, 10])
            #expect(numbers(answer, "tx_bits_per_second") == [16000, 16000, 16000])
            #expect(numbers(answer, "tx_packets_per_second") == [20, 20, 20])
            #expect(numbers(answer, "errors_per_second") == [3, 3, 3])
            #expect(numbers(answer, "dropped_per_second") == [7, 7, 7])
            let seconds = try daemon.ask(
                "GET", "/v1/tunnels/a/stats/history?from=2026-01-02T03:03:05Z&to=2026-01-02T03:03:35Z&step=1s")
            let known = numbers(seconds, "rx_packets_per_second").map { $0 != nil }
            #expect(known == (0..<30).map { !(10..<20).contains($0) })
        }
    }

    @Test func withoutParametersItIsTheLastQuarterOfAnHour() async throws {
        try await withHistory { daemon in
            let id = try daemon.ask("GET", "/v1/tunnels/a")["id"]
            guard case .string(let text) = id else { return #expect(Bool(false)) }
            for name in ["a", text] {
                let answer = try daemon.ask("GET", "/v1/tunnels/\(name)/stats/history")
                #expect(answer["from"] == .string("2026-01-02T02:49:06.000Z"))
                #expect(answer["to"] == .string("2026-01-02T03:04:06.000Z"))
                #expect(answer["step_seconds"] == .integer(1) && answer["points"] == .integer(900))
                #expect(numbers(answer, "tx_packets_per_second").compactMap(\.self).count == 95)
            }
        }
    }

    @Test(arguments: [
        ("from=2026-01-02T02:00:00Z", 5, 770), ("from=2026-01-01T03:00:00Z", 120, 723),
        ("from=2025-01-02T03:00:00Z", 43_200, 731), ("from=0000-01-01T00:00:00Z", 31_536_000, 2029),
        ("to=2026-01-02T00:00:00Z", 1, 900), ("from=2026-01-02T03:00:00Z&step=1d", 86_400, 1),
        ("from=2026-01-02T04:03:00%2B01:00&step=10s", 10, 7),
        ("from=2026-01-02T03:04:00Z&to=2099-01-01T00:00:00Z", 1, 6),
        ("from=2026-01-02T03:04:05.100Z&to=2026-01-02T03:04:05.200Z", 1, 1), ("step=400d", 34_560_000, 1),
    ])
    func stepsFitTheTime(query: String, step: Int64, points: Int64) async throws {
        try await withHistory { daemon in
            let answer = try daemon.ask("GET", "/v1/tunnels/a/stats/history?\(query)")
            #expect(answer["step_seconds"] == .integer(step), "\(answer.text.prefix(300))")
            #expect(answer["points"] == .integer(points))
            #expect(numbers(answer, "rx_bits_per_second").count == Int(points))
        }
    }

    @Test(arguments: [
        ("from=yesterday", "RFC 3339"), ("to=1767323045", "RFC 3339"), ("from=", "RFC 3339"),
        ("from=2026-01-02T03:04:05+01:00", "%2B"), ("from=2026-02-30T00:00:00Z", "RFC 3339"),
        ("step=10", "duration"), ("step=s", "duration"), ("step=0s", "duration"), ("step=-1s", "duration"),
        ("step=01s", "duration"), ("step=1.5s", "duration"), ("step=401d", "duration"), ("step=1w", "duration"),
        ("step=9223372036854775807d", "duration"), ("step=+1s", "duration"),
        ("from=2026-01-02T03:00:00Z&to=2026-01-02T02:00:00Z", "before"),
        ("from=2026-01-02T03:00:00Z&to=2026-01-02T03:00:00Z", "before"),
        ("from=2026-01-02T03:04:06Z", "future"), ("from=2030-01-01T00:00:00Z&to=2031-01-01T00:00:00Z", "future"),
        ("from=2026-01-01T00:00:00Z&step=1s", "a step of 10s"), ("from=2016-01-01T00:00:00Z&step=1m", "a step of 12h"),
        ("step=1s&step=2s", "once"), ("points=10", "unknown"),
    ])
    func whatCanNotBeAskedFor(query: String, said: String) async throws {
        try await withHistory { daemon in
            let answer = try daemon.ask("GET", "/v1/tunnels/a/stats/history?\(query)")
            answer.expect(400, .invalidParameter)
            #expect(answer.text.contains(said), "\(answer.text)")
        }
    }

    @Test func aTunnelThatIsNotThere() async throws {
        try await withHistory { daemon in
            try daemon.ask("GET", "/v1/tunnels/b/stats/history").expect(404, .tunnelNotFound)
            #expect(try daemon.ask("DELETE", "/v1/tunnels/a").status == 204)
            try daemon.ask("GET", "/v1/tunnels/a/stats/history").expect(404, .tunnelNotFound)
            try daemon.ask("POST", "/v1/tunnels/a/stats/history", "{}").expect(405, .methodNotAllowed)
        }
    }

    /// The name is another's now, and the history isn't its.
    @Test func aNameThatIsAnothersNow() async throws {
        try await withHistory { daemon in
            #expect(try daemon.ask("DELETE", "/v1/tunnels/a").status == 204)
            #expect(try daemon.ask("POST", "/v1/tunnels", #"{"name":"a","remote":"172.16.1.62"}"#).status == 201)
            let answer = try daemon.ask("GET", "/v1/tunnels/a/stats/history")
            #expect(numbers(answer, "rx_packets_per_second").allSatisfy { $0 == nil })
        }
    }

    @Test func aRenamedTunnelKeepsItsHistory() async throws {
        try await withHistory { daemon in
            let renamed = try daemon.ask("PATCH", "/v1/tunnels/a", #"{"name":"b"}"#)
            #expect(renamed.status == 200, "\(renamed.text)")
            let answer = try daemon.ask("GET", "/v1/tunnels/b/stats/history")
            #expect(numbers(answer, "rx_packets_per_second").compactMap(\.self).count == 95)
        }
    }
}
