internal import Reconciler
internal import Tunnels

extension JSONWriter {
    /// Counters and rates of all tunnels.
    mutating func stats(_ sample: Sample) {
        object { writer in
            writer.member("sampled_at", sample.sampledAt.description)
            writer.member("interval_seconds", toThousandths: sample.intervalSeconds)
            writer.array("items", sample.entries) { writer, entry in
                writer.object {
                    $0.identity(of: entry.view)
                    $0.counters(of: entry, intervalSeconds: sample.intervalSeconds)
                }
            }
        }
    }

    /// Counters and rates of one tunnel; null where it has no link.
    mutating func stats(of view: TunnelView, in sample: Sample) {
        object { writer in
            let entry = sample.entry(of: view.tunnel)
            writer.identity(of: entry?.view ?? view)
            writer.member("sampled_at", sample.sampledAt.description)
            writer.member("interval_seconds", toThousandths: sample.intervalSeconds)
            if let entry {
                writer.counters(of: entry, intervalSeconds: sample.intervalSeconds)
            } else {
                for name in ["rx", "tx", "rates"] { writer.member(name, nil as String?) }
            }
        }
    }

    private mutating func identity(of view: TunnelView) {
        member("name", plain: view.tunnel.name.text)
        member("id", plain: view.tunnel.id.text)
        member("ifindex", view.status.ifindex)
        member("epoch", view.status.epoch)
    }

    private mutating func counters(of entry: Sample.Entry, intervalSeconds: Double) {
        object("rx") { $0.direction(entry.counters.rx) }
        object("tx") { $0.direction(entry.counters.tx) }
        guard let growth = entry.growth, intervalSeconds > 0 else { return member("rates", nil as String?) }
        object("rates") {
            $0.member("rx_bits_per_second", toThousandths: Double(growth.rx.bytes) * 8 / intervalSeconds)
            $0.member("rx_packets_per_second", toThousandths: Double(growth.rx.packets) / intervalSeconds)
            $0.member("tx_bits_per_second", toThousandths: Double(growth.tx.bytes) * 8 / intervalSeconds)
            $0.member("tx_packets_per_second", toThousandths: Double(growth.tx.packets) / intervalSeconds)
        }
    }

    private mutating func direction(_ direction: LinkCounters.Direction) {
        member("bytes", direction.bytes)
        member("packets", direction.packets)
        member("errors", direction.errors)
        member("dropped", direction.dropped)
    }
}
