import Synchronization
import Testing
import TunnelStore
import Tunnels

@testable import TunnelAPI

@Suite struct OtherRoutesTests {
    private func counters(_ bytes: UInt64) -> LinkCounters {
        var counters = LinkCounters()
        counters.rx.bytes = bytes
        counters.rx.packets = bytes / 100
        return counters
    }

    @Test func statistics() async throws {
        try await withDaemon { daemon in
            let created = try daemon.ask(
                "POST", "/v1/tunnels", #"{"name": "tun_a", "remote": "172.16.1.62"}"#)
            guard case .integer(let ifindex) = created["status.ifindex"] else {
                Issue.record("no ifindex")
                return
            }
            daemon.kernel.state.withLock { $0.counters[Int32(ifindex)] = counters(1000) }
            let first = try daemon.ask("GET", "/v1/stats")
            #expect(first["items.0.rx.bytes"] == .integer(1000))
            #expect(first["items.0.rates"] == .null)
            #expect(first["interval_seconds"] == .integer(0))
            daemon.kernel.state.withLock { state in
                state.counters[Int32(ifindex)] = counters(2000)
                state.counters[Int32(ifindex)]?.rx.errors = 1
                state.counters[Int32(ifindex)]?.carrierErrors = 3
            }
            // Not asked again within the interval.
            #expect(try daemon.ask("GET", "/v1/stats").body == first.body)
            #expect(try daemon.ask("GET", "/v1/tunnels/tun_a/stats")["rx.bytes"] == .integer(1000))
            daemon.clock.advance(by: .seconds(2))
            let second = try daemon.ask("GET", "/v1/tunnels/tun_a/stats")
            #expect(
                second.text == """
                    {"name":"tun_a",\(text("id", of: created)),"ifindex":\(ifindex),"epoch":1,\
                    "sampled_at":"2026-01-02T03:04:05.678Z","interval_seconds":2.0,\
                    "rx":{"bytes":2000,"packets":20,"errors":1,"dropped":0},\
                    "tx":{"bytes":0,"packets":0,"errors":0,"dropped":0,"carrier_errors":3},"drops":{},\
                    "rates":{"rx_bits_per_second":4000.0,"rx_packets_per_second":5.0,"rx_errors_per_second":0.5,\
                    "rx_dropped_per_second":0.0,"tx_bits_per_second":0.0,"tx_packets_per_second":0.0,\
                    "tx_errors_per_second":0.0,"tx_dropped_per_second":0.0,"tx_carrier_errors_per_second":1.5},\
                    "rates_minute":{"rx_bits_per_second":4000.0,"rx_packets_per_second":5.0,"rx_errors_per_second":0.5,\
                    "rx_dropped_per_second":0.0,"tx_bits_per_second":0.0,"tx_packets_per_second":0.0,\
                    "tx_errors_per_second":0.0,"tx_dropped_per_second":0.0,"tx_carrier_errors_per_second":1.5,"seconds":2.0},\
                    "totals":{\(text("created_at", of: created).replacing("created_at", with: "since")),\
                    "rx":{"bytes":2000,"packets":20,"errors":1,"dropped":0},\
                    "tx":{"bytes":0,"packets":0,"errors":0,"dropped":0,"carrier_errors":3}}}
                    """)
            #expect(try daemon.ask("GET", "/v1/stats")["items.0.rates.rx_bits_per_second"] == .integer(4000))
            daemon.kernel.state.withLock { $0.counters[Int32(ifindex)]?.rx.bytes = 3000 }
            daemon.clock.advance(by: .milliseconds(10))
            #expect(try daemon.ask("GET", "/v1/stats")["items.0.rx.bytes"] == .integer(2000))
            #expect(try daemon.ask("GET", "/v1/stats?fresh=true")["items.0.rx.bytes"] == .integer(3000))
            try daemon.ask("GET", "/v1/stats?fresh=1").expect(400, .invalidParameter)
            try daemon.ask("GET", "/v1/tunnels/tun_b/stats").expect(404, .tunnelNotFound)
        }
    }

    /// An item is written into bytes that are set aside for it: the longest must fit.
    @Test func theLargestCountersFit() async throws {
        try await withDaemon { daemon in
            let created = try daemon.ask(
                "POST", "/v1/tunnels", #"{"name": "tun_aaaaaaaaaaa", "remote": "172.16.1.62"}"#)
            guard case .integer(let ifindex) = created["status.ifindex"] else {
                Issue.record("no ifindex")
                return
            }
            _ = try daemon.ask("GET", "/v1/stats")
            var largest = LinkCounters.Direction()
            largest.bytes = .max
            largest.packets = .max / 1001
            largest.errors = .max
            largest.dropped = .max
            daemon.kernel.state.withLock { state in
                state.counters[Int32(ifindex)]?.rx = largest
                state.counters[Int32(ifindex)]?.tx = largest
                state.counters[Int32(ifindex)]?.carrierErrors = .max
                for reason in DropReason.allCases { state.reasons[Int32(ifindex), default: [:]][reason] = .max }
            }
            daemon.clock.advance(by: .seconds(1))
            for path in ["/v1/stats", "/v1/tunnels/tun_aaaaaaaaaaa/stats"] {
                let text = try daemon.ask("GET", path).text
                #expect(text.contains(#""tx":{"bytes":18446744073709551615,"packets":18428315757951600,"#))
                #expect(
                    text.contains(#""dropped":18446744073709551615,"carrier_errors":18446744073709551615},"drops":"#))
                #expect(text.contains(#""tx_failed":18446744073709551615},"rates":{"#))
            }
        }
    }

    private func text(_ member: String, of answer: HTTPAnswer) -> String {
        guard case .string(let value) = answer[member] else { return "" }
        return "\"\(member)\":\"\(value)\""
    }

    @Test func aTunnelWithoutALinkHasNoCounters() async throws {
        try await withDaemon { daemon in
            let body = #"{"name": "tun_a", "remote": "172.16.1.62"}"#
            _ = try daemon.ask("POST", "/v1/tunnels", body, headers: ["Prefer: respond-async"])
            let answer = try daemon.ask("GET", "/v1/tunnels/tun_a/stats")
            #expect(answer.status == 200)
            for member in ["ifindex", "rx", "tx", "drops", "rates", "rates_minute"] { #expect(answer[member] == .null) }
            #expect(answer["totals.tx.carrier_errors"] == .integer(0))
            #expect(try daemon.ask("GET", "/v1/stats")["items"] == .array([]))
        }
    }

    @Test func countersThatCantBeRead() async throws {
        try await withDaemon { daemon in
            daemon.kernel.state.withLock { $0.countersProblem = TunnelProblem(.permissionMissing, "x") }
            try daemon.ask("GET", "/v1/stats").expect(503, .permissionMissing)
        }
    }

    @Test func hostLinksAndRoutes() async throws {
        try await withDaemon { daemon in
            let host = try daemon.ask("GET", "/v1/host")
            #expect(
                host.text.hasPrefix(
                    """
                    {"hostname":"a","kernel_release":"6.1.0","data_plane":"kernel",\
                    "modules":[{"name":"ipip","state":"missing","loaded_by_tunneld_at":null}],\
                    "ipv4_forwarding":null,"reverse_path_filter":1,\
                    "capabilities":{"administer_network":true,"load_modules":false},"shortcomings":["The kernel module
                    """))
            #expect(
                try daemon.ask("GET", "/v1/links").text == """
                    {"items":[{"ifindex":1,"name":"lo","kind":null,"up":true,"mtu":65536,"local":null,\
                    "remote":null,"addresses":["127.0.0.1/8"],"tunnel_id":null,"adoption":null}]}
                    """)
            #expect(
                try daemon.ask("GET", "/v1/routes").text == """
                    {"items":[{"to":"10.0.0.0/8","gateway":"10.0.0.1","link":"eth0","source":null,\
                    "metric":0,"table":254,"protocol":3,"ours":false}]}
                    """)
        }
    }

    @Test func theDaemonItself() async throws {
        try await withDaemon { daemon in
            #expect(try daemon.ask("GET", "/livez").text == "ok\n")
            #expect(try daemon.ask("GET", "/readyz").text == "ok\n")
            #expect(try daemon.ask("GET", "/v1/version").text == #"{"name":"tunneld","version":"1.2.3"}"#)
            let contract = try daemon.ask("GET", "/openapi.yaml")
            #expect(contract.headers["content-type"] == "application/yaml")
            #expect(contract.text.hasPrefix("openapi: 3.1"))
            let problem = try daemon.ask("GET", "/problems/name-taken")
            #expect(problem.headers["content-type"] == "text/plain; charset=utf-8")
            #expect(problem.text.hasPrefix("The name is taken\n"))
            try daemon.ask("GET", "/problems/none").expect(404, .notFound)
        }
        try await withDaemon(unreadiness: "The kernel wasn't looked at yet.") { daemon in
            try daemon.ask("GET", "/readyz").expect(503, .notReady)
            #expect(try daemon.ask("GET", "/livez").status == 200)
        }
    }
}

@Suite struct DriftRouteTests {
    private func record(_ tunnel: TunnelID, _ number: Int, end: DriftRecord.End? = nil) -> DriftRecord {
        let author = number == 1 ? ChangeAuthor(pid: 42, program: "ip") : nil
        return DriftRecord(
            tunnel: tunnel, field: "mtu", desired: "1400", observed: "\(number)",
            foundAt: Timestamp(milliseconds: 1_767_323_045_678), author: author, end: end)
    }

    /// Makes `tun_a` with five rows; the last two are open.
    private func fill(_ daemon: Daemon) throws -> TunnelID {
        let answer = try daemon.ask("POST", "/v1/tunnels", #"{"name":"tun_a","remote":"172.16.1.62"}"#)
        #expect(answer.status == 201)
        let name = try InterfaceName("tun_a")
        let id = try #require(daemon.store.tunnels().first { $0.name == name }).id
        let end = DriftRecord.End(.repaired, at: Timestamp(milliseconds: 1_767_323_045_679))
        try daemon.store.write { (transaction) throws(StoreError) in
            for number in 1...5 { try transaction.store(record(id, number, end: number < 4 ? end : nil)) }
        }
        return id
    }

    @Test func rowsInPagesTheNewestFirst() async throws {
        try await withDaemon { daemon in
            let id = try fill(daemon)
            let all = try daemon.ask("GET", "/v1/tunnels/tun_a/drift")
            #expect(all.status == 200)
            #expect(
                all["items.4"]
                    == (try JSONReader.read(
                        [UInt8](
                            #"""
                            {"id":1,"field":"mtu","desired":"1400","observed":"1","found_at":"2026-01-02T03:04:05.678Z","pid":42,
                            "program":"ip","outcome":"repaired","closed_at":"2026-01-02T03:04:05.679Z"}
                            """#.utf8))))
            #expect(all["items.0.outcome"] == .null && all["items.0.pid"] == .null && all["items.5"] == nil)
            #expect(all["next_cursor"] == .null)
            let first = try daemon.ask("GET", "/v1/tunnels/\(id.text)/drift?limit=2")
            #expect(first["items.1.observed"] == .string("4") && first["items.2"] == nil)
            #expect(first["next_cursor"] == .string("4"))
            let next = try daemon.ask("GET", "/v1/tunnels/tun_a/drift?limit=3&cursor=4")
            #expect(next["items.0.observed"] == .string("3") && next["items.2.observed"] == .string("1"))
            #expect(next["next_cursor"] == .null)
            let open = try daemon.ask("GET", "/v1/tunnels/tun_a/drift?open=true")
            #expect(open["items.1.observed"] == .string("4") && open["items.2"] == nil)
        }
    }

    @Test func ofADeletedTunnelByItsID() async throws {
        try await withDaemon { daemon in
            let id = try fill(daemon)
            #expect(try daemon.ask("DELETE", "/v1/tunnels/tun_a").status == 204)
            try daemon.ask("GET", "/v1/tunnels/tun_a/drift").expect(404, .tunnelNotFound)
            #expect(try daemon.ask("GET", "/v1/tunnels/\(id.text)/drift")["items.4.id"] == .integer(1))
            let other = "0190b5f0-0000-7000-8000-000000000000"
            try daemon.ask("GET", "/v1/tunnels/\(other)/drift").expect(404, .tunnelNotFound)
        }
    }

    @Test(arguments: ["limit=0", "cursor=x", "cursor=0", "cursor=-1", "open=1", "page=2", "open=true&open=true"])
    func wrongParameters(query: String) async throws {
        try await withDaemon { daemon in
            _ = try fill(daemon)
            try daemon.ask("GET", "/v1/tunnels/tun_a/drift?\(query)").expect(400, .invalidParameter)
        }
    }
}
