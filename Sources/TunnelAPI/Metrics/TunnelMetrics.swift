internal import Reconciler
internal import Tunnels

/// What metrics tell of each tunnel.
struct TunnelMetrics {
    private struct Row {
        let view: TunnelView
        let labels: MetricLabels
        /// As metrics write it.
        let createdAt: String
        let totals: LinkCounters
        /// Of its link, since that was made.
        let reasons: [DropReason: UInt64]

        init(_ view: TunnelView, _ totals: LinkCounters, _ reasons: [DropReason: UInt64]) {
            self.view = view
            self.totals = totals
            self.reasons = reasons
            labels = MetricLabels(("tunnel", view.tunnel.name.text), ("id", view.tunnel.id.text))
            createdAt = MetricsWriter.text(of: view.tunnel.createdAt)
        }
    }

    private let rows: [Row]

    /// - Parameter views: by name, as the sample's entries are.
    init(_ views: [TunnelView], _ sample: Sample) {
        var entries = sample.entries.makeIterator()
        var next = entries.next()
        rows = views.map { view in
            while let entry = next, entry.view.tunnel.name < view.tunnel.name { next = entries.next() }
            let entry = next.flatMap { $0.view.tunnel.id == view.tunnel.id ? $0 : nil }
            return Row(view, entry?.totals ?? sample.totals(of: view.tunnel), entry?.reasons ?? [:])
        }
    }

    /// Bytes to reserve.
    func capacity(in format: MetricFormat) -> Int { 8192 + rows.count * (format == .text ? 3072 : 4608) }

    func write(to writer: inout MetricsWriter) {
        counters(&writer)
        drops(&writer)
        states(&writer)
        properties(&writer)
    }

    private func counters(_ writer: inout MetricsWriter) {
        let families: [(String, String, (LinkCounters) -> UInt64)] = [
            ("receive_bytes", "Bytes of inner packets received, since the tunnel was defined.", { $0.rx.bytes }),
            ("receive_packets", "Inner packets received.", { $0.rx.packets }),
            ("receive_errors", "Packets received that were wrong.", { $0.rx.errors }),
            ("receive_dropped", "Packets received that were dropped.", { $0.rx.dropped }),
            ("transmit_bytes", "Bytes of inner packets sent, since the tunnel was defined.", { $0.tx.bytes }),
            ("transmit_packets", "Inner packets sent.", { $0.tx.packets }),
            ("transmit_errors", "Packets that couldn't be sent.", { $0.tx.errors }),
            ("transmit_dropped", "Packets that were dropped instead of sent.", { $0.tx.dropped }),
            ("transmit_carrier_errors", "Packets that had no way to the remote.", { $0.carrierErrors }),
        ]
        for (name, help, value) in families {
            writer.family("tunneld_tunnel_\(name)", .counter, help)
            for row in rows { writer.count(value(row.totals), row.labels, since: row.createdAt) }
        }
    }

    private func drops(_ writer: inout MetricsWriter) {
        writer.family(
            "tunneld_tunnel_drops", .counter, "Errors and drops by their reason, since the link was made; eBPF alone.")
        for row in rows {
            guard !row.reasons.isEmpty else { continue }
            for reason in DropReason.allCases {
                if let count = row.reasons[reason] {
                    writer.sample(count, row.labels.and("reason", reason.rawValue))
                }
            }
        }
    }

    private func states(_ writer: inout MetricsWriter) {
        writer.family("tunneld_tunnel_up", .gauge, "Whether the tunnel's link is there and switched on.")
        for row in rows { writer.sample(row.view.isUp ? 1 : 0, row.labels) }
        writer.family("tunneld_tunnel_enabled", .gauge, "Whether the definition has the tunnel switched on.")
        for row in rows { writer.sample(row.view.tunnel.definition.enabled ? 1 : 0, row.labels) }
        writer.family("tunneld_tunnel_state", .gauge, "1 for the state that the tunnel is in, 0 for the others.")
        for row in rows {
            for state in TunnelStatus.State.allCases {
                writer.sample(row.view.status.state == state ? 1 : 0, row.labels.and("state", state.rawValue))
            }
        }
        writer.family(
            "tunneld_tunnel_open_drifts", .gauge, "Differences that others made in the kernel and that are there still."
        )
        for row in rows { writer.sample(row.view.status.drift.count { $0.repairedAt == nil }, row.labels) }
        writer.family(
            "tunneld_tunnel_problem", .gauge, "1 with the code of what is wrong with the tunnel, if anything is.")
        for row in rows {
            if let problem = row.view.status.problem { writer.sample(1, row.labels.and("code", problem.code.rawValue)) }
        }
    }

    private func properties(_ writer: inout MetricsWriter) {
        writer.family("tunneld_tunnel", .info, "What the tunnel is.")
        for row in rows {
            let (definition, status) = (row.view.tunnel.definition, row.view.status)
            let labels = row.labels.and("kind", definition.kind.rawValue)
                .and("local", definition.local?.description ?? "").and("remote", definition.remote.description)
                .and("underlay", definition.underlay?.text ?? "").and("data_plane", status.dataPlane.rawValue)
            writer.sample(1, labels)
        }
        writer.family("tunneld_tunnel_mtu_bytes", .gauge, "The MTU of the tunnel's link.")
        for row in rows {
            if let mtu = row.view.status.mtu { writer.sample(mtu, row.labels) }
        }
        writer.family("tunneld_tunnel_epoch", .gauge, "Goes up when the link was made anew.")
        for row in rows { writer.sample(row.view.status.epoch, row.labels) }
        writer.family("tunneld_tunnel_created_timestamp_seconds", .gauge, "When the tunnel was defined.")
        for row in rows { writer.sample(text: row.createdAt, row.labels) }
    }
}

extension TunnelView {
    /// A tunnel that somebody changed may be up all the same.
    fileprivate var isUp: Bool {
        guard status.ifindex != nil, tunnel.definition.enabled else { return false }
        switch status.state {
        case .up: return true
        case .drifted: return !status.drift.contains { $0.repairedAt == nil && ["enabled", "link"].contains($0.field) }
        case .down, .pending, .failed: return false
        }
    }
}
