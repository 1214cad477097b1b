internal import HTTPServer
internal import Reconciler
internal import Synchronization
internal import Tunnels

/// `/metrics`: the Prometheus text format 0.0.4.
struct MetricsController: Sendable {
    let sources: API.Sources

    var routes: [Route] { [Route(.get, "/metrics", metrics)] }

    private func metrics(_ request: Request) throws -> Answer {
        _ = try Query(request)
        let sample = try sources.sampler.sample()
        var text = MetricsText(capacity: 8192 + sample.entries.count * 1024)
        tunnels(sample, &text)
        states(&text)
        reconciler(&text)
        if let statistics = sources.server() { server(statistics, &text) }
        text.family("tunneld_sample_seconds", .gauge, "What reading the counters of all tunnels took.")
        text.sample(fraction: sample.durationSeconds)
        text.family("tunneld_start_seconds", .gauge, "What loading the tunnels and making the kernel match took.")
        text.sample(fraction: Double(sources.reconciler.counters.startMicroseconds.load(ordering: .relaxed)) / 1e6)
        text.family("tunneld_plan_seconds", .gauge, "What comparing the newest applied set with the tunnels took.")
        text.sample(fraction: Double(sources.reconciler.counters.planMicroseconds.load(ordering: .relaxed)) / 1e6)
        text.family("tunneld_build_info", .gauge, "The version that runs.")
        text.sample(1, labels: [("version", sources.version)])
        return .response(
            Response(status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", body: text.bytes))
    }

    private func tunnels(_ sample: Sample, _ text: inout MetricsText) {
        let families: [(String, String, (LinkCounters) -> UInt64)] = [
            ("receive_bytes", "Bytes of inner packets received.", { $0.rx.bytes }),
            ("receive_packets", "Packets received.", { $0.rx.packets }),
            ("receive_errors", "Packets received with an error.", { $0.rx.errors }),
            ("receive_dropped", "Packets received and dropped.", { $0.rx.dropped }),
            ("transmit_bytes", "Bytes of inner packets sent.", { $0.tx.bytes }),
            ("transmit_packets", "Packets sent.", { $0.tx.packets }),
            ("transmit_errors", "Packets that couldn't be sent.", { $0.tx.errors }),
            ("transmit_dropped", "Packets dropped instead of sent.", { $0.tx.dropped }),
        ]
        for (name, help, value) in families {
            text.family("tunneld_tunnel_\(name)_total", .counter, help)
            for entry in sample.entries {
                text.sample(value(entry.counters), labels: [("tunnel", entry.view.tunnel.name.text)])
            }
        }
    }

    private func states(_ text: inout MetricsText) {
        var counts: [TunnelStatus.State: Int] = [:]
        var suspended = 0
        for view in sources.reconciler.directory.views {
            counts[view.status.state, default: 0] += 1
            if view.status.problem?.code == .repairSuspended { suspended += 1 }
        }
        text.family("tunneld_tunnels", .gauge, "Tunnels by state.")
        for state in TunnelStatus.State.allCases {
            text.sample(counts[state] ?? 0, labels: [("state", state.rawValue)])
        }
        text.family("tunneld_repairs_suspended", .gauge, "Tunnels left alone because others keep changing them.")
        text.sample(suspended)
    }

    private func reconciler(_ text: inout MetricsText) {
        let counters = sources.reconciler.counters
        func counter(_ name: String, _ help: String, _ value: borrowing Atomic<Int>) {
            text.family("tunneld_\(name)_total", .counter, help)
            text.sample(value.load(ordering: .relaxed))
        }
        counter("looks", "Looks at the whole kernel.", counters.looks)
        counter("drifts", "Differences found that others made.", counters.drifts)
        counter("adoptions", "Definitions that took over what others changed.", counters.adoptions)
        counter("repairs", "Tunnels repaired after somebody else's change.", counters.repairs)
        counter("pruned_links", "Links removed that belonged to no tunnel any more.", counters.pruned)
        counter("kernel_refusals", "Plans that the kernel refused.", counters.failures)
        text.family("tunneld_kernel_changes_total", .counter, "Messages to the kernel that ask for a change.")
        text.sample(sources.kernelChanges())
        text.family("tunneld_monitor_overflows_total", .counter, "Times that events of the kernel were lost.")
        text.sample(sources.monitorOverflows())
        counter("writes", "Writes that were done.", counters.writes)
        counter("write_batches", "Transactions that the writes shared.", counters.batches)
        counter("write_refusals", "Writes that were refused.", counters.refusals)
    }

    private func server(_ statistics: ServerStatistics, _ text: inout MetricsText) {
        text.family("tunneld_http_responses_total", .counter, "Answers by the class of their status.")
        for (index, count) in statistics.responsesByClass.enumerated() {
            text.sample(count, labels: [("class", "\(index + 1)xx")])
        }
        let counters: [(String, String, UInt64)] = [
            ("sent_bytes", "Bytes of bodies sent.", statistics.sentBytes),
            ("received_bytes", "Bytes of bodies received.", statistics.receivedBytes),
            ("connections", "Connections accepted.", statistics.acceptedConnections),
        ]
        for (name, help, value) in counters {
            text.family("tunneld_http_\(name)_total", .counter, help)
            text.sample(value)
        }
        let gauges: [(String, String, Int)] = [
            ("open_connections", "Connections that are open.", statistics.openConnections),
            (
                "deferred_answers", "Requests whose answer is due: writes, and those who wait for a tunnel.",
                statistics.deferredAnswers
            ),
            ("open_streams", "Streams that are open.", statistics.openStreams),
        ]
        for (name, help, value) in gauges {
            text.family("tunneld_http_\(name)", .gauge, help)
            text.sample(value)
        }
    }
}
