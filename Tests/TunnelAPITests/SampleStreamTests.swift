import HTTPServer
import Reconciler
import Synchronization
import Testing
import TunnelStore
import Tunnels

@testable import TunnelAPI

@Suite struct SampleStreamTests {
    private func withTunnels(_ count: Int, _ body: (Daemon) throws -> Void) async throws {
        try await withDaemon { daemon in
            for number in 1...count { try create(number, daemon) }
            daemon.sampler.run()
            try body(daemon)
        }
    }

    private func create(_ number: Int, _ daemon: Daemon) throws {
        let labels = number.isMultiple(of: 2) ? #"{"site": "even"}"# : "{}"
        let answer = try daemon.ask(
            "POST", "/v1/tunnels",
            #"{"name": "tun_\#(number)", "remote": "172.16.1.\#(number)", "labels": \#(labels)}"#)
        #expect(answer.status == 201, "\(answer.text)")
    }

    /// A block of the stream: its number, and the data as the plain route would answer it.
    private func sample(_ client: EventClient) throws -> (id: Int64, data: JSONValue) {
        while let block = try client.block() {
            let lines = block.split(separator: "\n")
            guard lines.count == 3, lines[1] == "event: sample", lines[2].hasPrefix("data: ") else { continue }
            let id = try #require(Int64(lines[0].dropFirst("id: ".count)))
            return (id, try JSONReader.read(Array(lines[2].dropFirst("data: ".count).utf8)))
        }
        throw HTTPFailure(message: "the stream ended")
    }

    private func names(_ data: JSONValue) throws -> [String] {
        guard case .object(let members) = data, case .array(let items)? = members["items"] else { return [] }
        return items.compactMap { item in
            guard case .object(let members) = item, case .string(let name)? = members["name"] else { return nil }
            return name
        }
    }

    @Test func aStreamBeginsWithTheNewestSampleAndGoesOn() async throws {
        try await withTunnels(3) { daemon in
            let client = try EventClient(daemon.unix, "/v1/stats/stream")
            #expect(client.status == 200)
            #expect(client.head.contains("Content-Type: text/event-stream\r\n"))
            #expect(client.head.contains("Vary: Accept-Encoding\r\n"))
            #expect(try client.block() == "retry: 1000")
            let first = try sample(client)
            #expect(try names(first.data) == ["tun_1", "tun_2", "tun_3"])
            #expect(try first.data == JSONReader.read(daemon.ask("GET", "/v1/stats").body))
            var last = first.id
            for _ in 0..<5 {
                daemon.clock.advance(by: .seconds(1))
                let next = try sample(client)
                #expect(next.id > last)
                last = next.id
            }
        }
    }

    @Test func eachGetsWhatItSelectsAlsoWhatComesLater() async throws {
        try await withTunnels(4) { daemon in
            let id = try daemon.ask("GET", "/v1/tunnels/tun_1")["id"]
            guard case .string(let id) = id else { return }
            let targets: [(String, [String], [String])] = [
                ("?tunnel=tun_3&tunnel=tun_1&tunnel=tun_6", ["tun_1", "tun_3"], ["tun_1", "tun_3", "tun_6"]),
                ("?label=site:even", ["tun_2", "tun_4"], ["tun_2", "tun_4", "tun_6"]),
                ("?label=site:even&tunnel=tun_1&tunnel=tun_2", ["tun_2"], ["tun_2"]),
                ("?tunnel=\(id)&tunnel=tun_1", ["tun_1"], ["tun_1"]),
                ("?tunnel=none", [], []), ("?label=site:even&label=site:odd", [], []),
            ]
            let clients = try targets.map { try EventClient(daemon.unix, "/v1/stats/stream" + $0.0) }
            for (client, target) in zip(clients, targets) {
                #expect(try names(sample(client).data) == target.1, "\(target.0)")
            }
            try create(6, daemon)
            daemon.clock.advance(by: .seconds(1))
            for (client, target) in zip(clients, targets) {
                #expect(try names(sample(client).data) == target.2, "\(target.0)")
            }
        }
    }

    @Test(arguments: [
        "?tunnel=", "?tunnel=a/b", "?label=site", "?limit=1",
        "?" + (0...256).map { "tunnel=t\($0)" }.joined(separator: "&"),
        "?" + (0...64).map { "label=a\($0):b" }.joined(separator: "&"),
    ])
    func whatCannotBeSelectedIsRefused(query: String) async throws {
        try await withTunnels(1) { daemon in
            try daemon.ask("GET", "/v1/stats/stream" + query).expect(400, .invalidParameter)
        }
    }

    @Test func thereAreNoMoreThanSoManySelections() async throws {
        try await withTunnels(1) { daemon in
            var clients = try (0..<128).map { try EventClient(daemon.unix, "/v1/stats/stream?tunnel=t\($0)") }
            for client in clients { _ = try sample(client) }
            let refused = try daemon.ask("GET", "/v1/stats/stream?tunnel=other")
            #expect(refused.status == 503)
            #expect(refused.headers["retry-after"] == "1")
            // One that others have made is none more.
            clients.append(try EventClient(daemon.unix, "/v1/stats/stream?tunnel=t7"))
            #expect(clients.last?.status == 200)
        }
    }

    /// All read the same compressed bytes, after a head of their own.
    @Test func compressedStreamsShareTheirPieces() async throws {
        try await withTunnels(2) { daemon in
            let headers = ["Accept-Encoding: gzip"]
            let clients = try (0..<3).map { _ in try EventClient(daemon.unix, "/v1/stats/stream", headers: headers) }
            let plain = try EventClient(daemon.unix, "/v1/stats/stream")
            _ = try plain.block()
            let block = try #require(try plain.block())
            let piece = try #require(
                Gzip.compressPiece(Array((block + "\n\n").utf8), level: SampleFrame.compression))
            let expected = SampleFrame.opening(isCompressed: true) + piece
            for client in clients {
                #expect(client.head.contains("Content-Encoding: gzip\r\n"))
                #expect(try client.take(expected.count) == expected)
            }
        }
    }

    @Test func whoIsSlowGetsTheNewest() async throws {
        try await withTunnels(200) { daemon in
            let slow = try EventClient(daemon.unix, "/v1/stats/stream", receiveBuffer: 4096)
            let quick = try EventClient(daemon.unix, "/v1/stats/stream")
            var last = try sample(quick).id
            for _ in 0..<20 {
                daemon.clock.advance(by: .seconds(1))
                last = try sample(quick).id
            }
            var ids: [Int64] = []
            while ids.last != last { ids.append(try sample(slow).id) }
            #expect(ids == ids.sorted())
            // The first, those that fitted into the socket, the one on its way, and then the last.
            #expect(ids.count < 10, "\(ids)")
        }
    }

    @Test func whoTakesTooLongIsCutOff() async throws {
        try await withTunnels(200) { daemon in
            let slow = try EventClient(daemon.unix, "/v1/stats/stream", receiveBuffer: 4096)
            let quick = try EventClient(daemon.unix, "/v1/stats/stream")
            _ = try sample(quick)
            for _ in 0..<40 {
                daemon.clock.advance(by: .seconds(1))
                _ = try sample(quick)
            }
            while try slow.block() != nil {}
            daemon.clock.advance(by: .seconds(1))
            _ = try sample(quick)
        }
    }

    @Test func aRevokedTokenEndsItsStream() async throws {
        try await withTunnels(1) { daemon in
            let (text, token) = try daemon.createToken(.read)
            let client = try EventClient(
                daemon.tcp, "/v1/stats/stream", headers: ["Authorization: Bearer \(text)"])
            let other = try EventClient(daemon.unix, "/v1/stats/stream")
            _ = try (sample(client), sample(other))
            _ = try daemon.store.revokeToken(id: token.id, at: Timestamp(milliseconds: 1), by: "test")
            try daemon.api.refreshTokens()
            while try client.block() != nil {}
            daemon.clock.advance(by: .seconds(1))
            _ = try sample(other)
        }
    }

    @Test func withoutSamplesTheConnectionIsKept() async throws {
        try await withTunnels(1) { daemon in
            let client = try EventClient(daemon.unix, "/v1/stats/stream")
            _ = try sample(client)
            daemon.kernel.state.withLock { $0.countersProblem = TunnelProblem(.permissionMissing, "x") }
            daemon.clock.advance(by: .seconds(15))
            #expect(try client.block() == ":")
            daemon.kernel.state.withLock { $0.countersProblem = nil }
            daemon.clock.advance(by: .seconds(1))
            _ = try sample(client)
        }
    }

    @Test func whereSamplesCannotBeTakenItIsSaid() async throws {
        try await withTunnels(1) { daemon in
            daemon.clock.advance(by: .seconds(100))
            daemon.kernel.state.withLock { $0.countersProblem = TunnelProblem(.permissionMissing, "x") }
            daemon.clock.advance(by: .seconds(100))
            try daemon.ask("GET", "/v1/stats/stream").expect(503, .permissionMissing)
        }
    }
}
