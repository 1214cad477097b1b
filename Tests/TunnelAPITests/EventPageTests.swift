import Testing
import TunnelStore
import Tunnels

@testable import TunnelAPI

@Suite struct EventPageTests {
    private func ids(_ answer: HTTPAnswer) -> [Int64] {
        guard case .array(let items) = answer["items"] else { return [] }
        return items.compactMap {
            guard case .object(let members) = $0, case .integer(let id) = members["id"] else { return nil }
            return id
        }
    }

    @Test func anEventAsJSON() async throws {
        try await withDaemon { daemon in
            let body = #"{"name": "tun_a", "remote": "172.16.1.62", "labels": {"site": "a", "b": "ä"}}"#
            let created = try daemon.ask("POST", "/v1/tunnels", body)
            guard case .string(let id) = created["id"] else {
                Issue.record("no id")
                return
            }
            _ = try daemon.createToken(.read)
            let host = Event(
                at: Timestamp(milliseconds: 0), kind: .failed, subject: .host, detail: "{\"a\":\n [1,\r\n2]}")
            try daemon.store.write { (transaction) throws(StoreError) in
                try transaction.record(host)
                try transaction.record(Event(at: host.at, kind: .up, subject: .checkpoint(id: "c")))
            }
            let answer = try daemon.ask("GET", "/v1/events")
            #expect(answer.status == 200)
            #expect(answer.headers["content-type"] == "application/json")
            #expect(
                answer.text == """
                    {"items":[\
                    {"id":1,"at":"2026-01-02T03:04:05.678Z","type":"created","actor":"uid 0",\
                    "tunnel":{"id":"\(id)","name":"tun_a","revision":1},"token_id":null,"checkpoint_id":null,\
                    "labels":{"b":"ä","site":"a"},"detail":null},\
                    {"id":2,"at":"1970-01-01T00:00:00.000Z","type":"token.created","actor":"test","tunnel":null,\
                    "token_id":1,"checkpoint_id":null,"labels":{},"detail":null},\
                    {"id":3,"at":"1970-01-01T00:00:00.000Z","type":"failed","actor":null,"tunnel":null,\
                    "token_id":null,"checkpoint_id":null,"labels":{},"detail":{"a":  [1,  2]}},\
                    {"id":4,"at":"1970-01-01T00:00:00.000Z","type":"up","actor":null,"tunnel":null,"token_id":null,\
                    "checkpoint_id":"c","labels":{},"detail":null}],"next_cursor":null}
                    """)
        }
    }

    @Test func pagesInBothOrders() async throws {
        try await withDaemon { daemon in
            try daemon.record(7)
            for (order, expected) in [("asc", Array(1...7)), ("desc", (1...7).reversed())] {
                var (found, cursor, pages) = ([Int64](), "", 0)
                while pages < 10 {
                    let answer = try daemon.ask("GET", "/v1/events?limit=3&order=\(order)\(cursor)")
                    found += ids(answer)
                    pages += 1
                    guard case .string(let next) = answer["next_cursor"] else { break }
                    cursor = "&cursor=\(next)"
                }
                #expect(found == expected.map(Int64.init))
                #expect(pages == 3)
            }
            #expect(ids(try daemon.ask("GET", "/v1/events?after=5")) == [6, 7])
            #expect(ids(try daemon.ask("GET", "/v1/events?after=5&order=desc")) == [7, 6])
            #expect(ids(try daemon.ask("GET", "/v1/events?after=7")) == [])
            // A page that is just full is the last.
            #expect(try daemon.ask("GET", "/v1/events?limit=7")["next_cursor"] == .null)
        }
    }

    @Test func selections() async throws {
        try await withDaemon { daemon in
            for (name, site) in [("tun_a", "a"), ("tun_b", "b")] {
                let body = #"{"remote": "172.16.1.\#(site == "a" ? 1 : 2)", "labels": {"site": "\#(site)"}}"#
                _ = try daemon.ask("PUT", "/v1/tunnels/\(name)", body)
            }
            let id = try daemon.ask("GET", "/v1/tunnels/tun_b")["id"]
            guard case .string(let id) = id else {
                Issue.record("no id")
                return
            }
            _ = try daemon.ask("DELETE", "/v1/tunnels/tun_b")
            for (query, expected) in [
                ("type=deleted", [3]), ("type=deleted&type=created", [1, 2, 3]), ("label=site:b", [2, 3]),
                ("label=site:b&label=x:y", []), ("tunnel=tun_a", [1]), ("tunnel=\(id)", [2, 3]),
                ("tunnel=tun_b&type=created", [2]), ("tunnel=tun_b&limit=1&order=desc", [3]),
            ] as [(String, [Int64])] {
                #expect(ids(try daemon.ask("GET", "/v1/events?\(query)")) == expected, "\(query)")
            }
        }
    }

    @Test func whatIsGoneIsSaid() async throws {
        try await withDaemon { daemon in
            try daemon.ask("GET", "/v1/events?after=1").expect(410, .eventsGone)
            try daemon.record(10)
            try daemon.store.pruneEvents(keeping: 3)
            let gone = try daemon.ask("GET", "/v1/events?after=6")
            gone.expect(410, .eventsGone)
            #expect(gone["oldest_event"] == .integer(8))
            try daemon.ask("GET", "/v1/events?cursor=6").expect(410, .eventsGone)
            #expect(ids(try daemon.ask("GET", "/v1/events?cursor=6&order=desc")) == [])
            #expect(ids(try daemon.ask("GET", "/v1/events?after=7")) == [8, 9, 10])
            #expect(ids(try daemon.ask("GET", "/v1/events?after=0")) == [8, 9, 10])
            #expect(ids(try daemon.ask("GET", "/v1/events")) == [8, 9, 10])
            try daemon.ask("GET", "/v1/events?after=11").expect(410, .eventsGone)
            let stream = try EventClient(daemon.unix, headers: ["Last-Event-ID: 6"])
            #expect(stream.status == 410)
        }
    }

    @Test(arguments: [
        "after=-1", "after=01", "after=x", "cursor=x", "limit=0", "limit=1001", "order=up", "type=none", "label=x",
        "tunnel=a/b", "after=1&after=2", "since=1", String(repeating: "label=a:b&", count: 33),
    ])
    func badParameters(query: String) async throws {
        try await withDaemon { daemon in
            try daemon.ask("GET", "/v1/events?\(query)").expect(400, .invalidParameter)
        }
    }
}

extension Daemon {
    /// Events of a tunnel that isn't there.
    func record(_ count: Int, in store: TunnelStore? = nil) throws {
        let id = try #require(TunnelID("01890a5d-ac96-7000-8000-000000000001"))
        let subject = Event.Subject.tunnel(id, name: try InterfaceName("other"), revision: 1)
        let event = Event(at: Timestamp(milliseconds: 0), kind: .updated, subject: subject, labels: ["site": "x"])
        try (store ?? self.store).write { (transaction) throws(StoreError) in
            for _ in 0..<count { try transaction.record(event) }
        }
    }
}
