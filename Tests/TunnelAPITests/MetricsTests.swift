import HTTPServer
import Reconciler
import Synchronization
import Testing
import TunnelStore
import Tunnels

@testable import TunnelAPI

@Suite struct MetricsTests {
    private static let open = "Accept: application/openmetrics-text;version=1.0.0"

    /// With a tunnel that is up and has counted.
    private func withTunnel(
        _ body: (_ daemon: Daemon, _ labels: String, _ ifindex: Int32) async throws -> Void
    ) async throws {
        try await withDaemon { daemon in
            let created = try daemon.ask(
                "POST", "/v1/tunnels", #"{"name": "tun_a", "local": "172.16.16.22", "remote": "172.16.1.62"}"#)
            guard case .integer(let ifindex) = created["status.ifindex"], case .string(let id) = created["id"] else {
                Issue.record("no tunnel")
                return
            }
            try await body(daemon, #"tunnel="tun_a",id="\#(id)""#, Int32(ifindex))
        }
    }

    private func counters() -> LinkCounters {
        var counters = LinkCounters()
        (counters.rx.bytes, counters.rx.packets, counters.rx.errors, counters.rx.dropped) = (11, 12, 13, 14)
        (counters.tx.bytes, counters.tx.packets, counters.tx.errors, counters.tx.dropped) = (21, 22, 23, 24)
        counters.carrierErrors = 25
        return counters
    }

    private func lines(_ answer: HTTPAnswer) -> [String] {
        answer.text.split(separator: "\n").map(String.init)
    }

    @Test func countersOfATunnel() async throws {
        try await withTunnel { daemon, labels, ifindex in
            daemon.kernel.state.withLock {
                $0.counters[ifindex] = counters()
                $0.reasons[ifindex] = [.txTooBig: 3]
            }
            let answer = try daemon.ask("GET", "/metrics")
            #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(answer.headers["vary"]?.contains("Accept") == true)
            let lines = lines(answer)
            for (name, value) in [
                ("receive_bytes", 11), ("receive_packets", 12), ("receive_errors", 13), ("receive_dropped", 14),
                ("transmit_bytes", 21), ("transmit_packets", 22), ("transmit_errors", 23), ("transmit_dropped", 24),
                ("transmit_carrier_errors", 25),
            ] {
                #expect(lines.contains("tunneld_tunnel_\(name)_total{\(labels)} \(value)"))
                #expect(lines.contains("# TYPE tunneld_tunnel_\(name)_total counter"))
            }
            #expect(lines.contains(#"tunneld_tunnel_drops_total{\#(labels),reason="tx_too_big"} 3"#))
        }
    }

    /// Since when a counter counts is said in OpenMetrics alone.
    @Test func sinceWhenACounterCounts() async throws {
        try await withTunnel { daemon, labels, _ in
            let open = try daemon.ask("GET", "/metrics", headers: [Self.open])
            #expect(open.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8")
            let lines = lines(open)
            #expect(lines.last == "# EOF")
            #expect(lines.contains("# TYPE tunneld_tunnel_receive_bytes counter"))
            #expect(lines.contains("tunneld_tunnel_receive_bytes_total{\(labels)} 0"))
            #expect(lines.contains("tunneld_tunnel_receive_bytes_created{\(labels)} 1767323045.678"))
            #expect(lines.contains("tunneld_looks_created 1767323000.250"))
            let text = try daemon.ask("GET", "/metrics").text
            #expect(!text.contains("_created{") && !text.contains("_created ") && !text.contains("# EOF"))
        }
    }

    @Test func whatATunnelIs() async throws {
        try await withTunnel { daemon, labels, _ in
            let lines = lines(try daemon.ask("GET", "/metrics"))
            for line in [
                "tunneld_tunnel_up{\(labels)} 1", "tunneld_tunnel_enabled{\(labels)} 1",
                #"tunneld_tunnel_state{\#(labels),state="up"} 1"#,
                #"tunneld_tunnel_state{\#(labels),state="drifted"} 0"#,
                "tunneld_tunnel_open_drifts{\(labels)} 0", "tunneld_tunnel_mtu_bytes{\(labels)} 1480",
                "tunneld_tunnel_epoch{\(labels)} 1",
                "tunneld_tunnel_created_timestamp_seconds{\(labels)} 1767323045.678",
                #"tunneld_tunnel_info{\#(labels),kind="ipip",local="172.16.16.22",remote="172.16.1.62",underlay="","#
                    + #"data_plane="kernel"} 1"#,
                #"tunneld_tunnels{state="up"} 1"#, #"tunneld_tunnels{state="failed"} 0"#,
            ] { #expect(lines.contains(line)) }
            #expect(!lines.contains { $0.hasPrefix("tunneld_tunnel_problem{") })
        }
    }

    @Test func aTunnelThatIsSwitchedOff() async throws {
        try await withTunnel { daemon, labels, _ in
            let patch = try daemon.ask(
                "PATCH", "/v1/tunnels/tun_a", #"{"enabled": false}"#,
                headers: ["Content-Type: application/merge-patch+json"])
            #expect(patch.status == 200)
            let lines = lines(try daemon.ask("GET", "/metrics"))
            #expect(lines.contains("tunneld_tunnel_up{\(labels)} 0"))
            #expect(lines.contains("tunneld_tunnel_enabled{\(labels)} 0"))
            #expect(lines.contains(#"tunneld_tunnel_state{\#(labels),state="down"} 1"#))
        }
    }

    /// Stored, and the kernel refused.
    @Test func aTunnelWithoutALink() async throws {
        try await withDaemon { daemon in
            daemon.kernel.state.withLock {
                $0.refusals["tun_a"] = TunnelProblem(.kernelRefused, "x", errno: "EINVAL")
            }
            let body = #"{"name": "tun_a", "remote": "172.16.1.62"}"#
            _ = try daemon.ask("POST", "/v1/tunnels", body, headers: ["Prefer: respond-async"])
            // Before another write the kernel is looked at.
            _ = try daemon.ask("POST", "/v1/tunnels", #"{"name": "tun_b", "remote": "172.16.1.63"}"#)
            let lines = lines(try daemon.ask("GET", "/metrics"))
            #expect(lines.contains { $0.hasPrefix(#"tunneld_tunnel_up{tunnel="tun_a","#) && $0.hasSuffix(" 0") })
            #expect(
                lines.contains { $0.hasPrefix("tunneld_tunnel_problem{") && $0.contains(#"code="kernel-refused"} 1"#) })
            #expect(
                lines.contains {
                    $0.hasPrefix(#"tunneld_tunnel_receive_bytes_total{tunnel="tun_a""#) && $0.hasSuffix(" 0")
                })
            #expect(!lines.contains { $0.hasPrefix(#"tunneld_tunnel_mtu_bytes{tunnel="tun_a""#) })
            #expect(lines.contains(#"tunneld_tunnels{state="failed"} 1"#))
            #expect(lines.contains("tunneld_kernel_refusals_total 1"))
        }
    }

    @Test func theDaemonItself() async throws {
        try await withTunnel { daemon, _, _ in
            let lines = lines(try daemon.ask("GET", "/metrics"))
            for line in [
                "tunneld_writes_total 1", "tunneld_looks_total 1", "tunneld_look_duration_seconds_count 1",
                #"tunneld_look_duration_seconds_bucket{le="+Inf"} 1"#, "tunneld_write_batch_duration_seconds_count 1",
                "tunneld_last_look_timestamp_seconds 1767323045.678", "tunneld_kernel_changes_total 1",
                "tunneld_netlink_messages_total 2", "tunneld_netlink_refusals_total 3",
                "tunneld_netlink_interrupted_dumps_total 4", "tunneld_monitor_events_total 5",
                "tunneld_monitor_overflows_total 6", #"tunneld_http_responses_total{class="5xx"} 0"#,
                "tunneld_http_received_bytes_total 67", "tunneld_http_open_streams 0",
                "tunneld_sqlite_commit_duration_seconds_count 1", "tunneld_sqlite_rollbacks_total 0",
                "tunneld_sqlite_full_total 0", "process_cpu_seconds_total 1.5", "process_resident_memory_bytes 4096",
                "process_virtual_memory_bytes 8192", "process_open_fds 10", "process_max_fds 1024",
                "process_start_time_seconds 1767323000.250", #"tunneld_build_info{version="1.2.3"} 1"#,
            ] { #expect(lines.contains(line), "\(line)") }
        }
    }

    /// A family is named once, its samples stand together, and no sample comes twice: a scrape that isn't so is refused.
    @Test(arguments: ["Accept: text/plain", open]) func familiesAreWhole(accept: String) async throws {
        try await withTunnel { daemon, _, _ in
            _ = try daemon.ask("POST", "/v1/tunnels", #"{"name": "tun_b", "remote": "172.16.1.63"}"#)
            let lines = lines(try daemon.ask("GET", "/metrics", headers: [accept]))
            let families = lines.filter { $0.hasPrefix("# TYPE ") }.map { $0.split(separator: " ")[2] }
            #expect(Set(families).count == families.count)
            let samples = lines.filter { !$0.hasPrefix("#") }.compactMap { $0.split(separator: " ").first }
            #expect(Set(samples).count == samples.count)
            var family: Substring = ""
            for line in lines where line != "# EOF" {
                if line.hasPrefix("#") { family = line.split(separator: " ")[2] }
                #expect(line.hasPrefix("#") || line.hasPrefix(family), "\(line) is not of \(family)")
            }
        }
    }

    @Test func allWhoAskWithinAnIntervalGetTheSame() async throws {
        try await withTunnel { daemon, labels, ifindex in
            let first = try daemon.ask("GET", "/metrics").body
            daemon.kernel.state.withLock { $0.counters[ifindex] = counters() }
            #expect(try daemon.ask("GET", "/metrics").body == first)
            let fresh = try daemon.ask("GET", "/metrics?fresh=true")
            #expect(lines(fresh).contains("tunneld_tunnel_receive_bytes_total{\(labels)} 11"))
            daemon.clock.advance(by: .seconds(2))
            #expect(
                lines(try daemon.ask("GET", "/metrics")).contains("tunneld_tunnel_receive_bytes_total{\(labels)} 11"))
            try daemon.ask("GET", "/metrics?fresh=1").expect(400, .invalidParameter)
            try daemon.ask("GET", "/metrics?name=x").expect(400, .invalidParameter)
        }
    }

    @Test(arguments: ["Accept: text/plain", open]) func compressedForWhoTakesIt(accept: String) async throws {
        try await withTunnel { daemon, _, _ in
            let plain = try daemon.ask("GET", "/metrics", headers: [accept])
            let compressed = try daemon.ask("GET", "/metrics", headers: [accept, "Accept-Encoding: gzip"])
            #expect(compressed.headers["content-encoding"] == "gzip")
            #expect(compressed.headers["content-type"] == plain.headers["content-type"])
            #expect(compressed.headers["vary"] == "Accept, Accept-Encoding")
            #expect(compressed.body.starts(with: [0x1F, 0x8B]) && compressed.body.count < plain.body.count / 3)
            #expect(plain.headers["content-encoding"] == nil && plain.headers["vary"] == compressed.headers["vary"])
            let refused = try daemon.ask("GET", "/metrics", headers: [accept, "Accept-Encoding: gzip;q=0"])
            #expect(refused.body == plain.body)
        }
    }

    @Test func countersThatCantBeRead() async throws {
        try await withDaemon { daemon in
            daemon.kernel.state.withLock { $0.countersProblem = TunnelProblem(.permissionMissing, "x") }
            try daemon.ask("GET", "/metrics").expect(503, .permissionMissing)
        }
    }
}
