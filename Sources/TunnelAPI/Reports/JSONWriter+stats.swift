internal import HTTPServer
internal import Reconciler
internal import Tunnels

// Statistics are most of what is sent where there are many tunnels: the fixed text of an item is written as it is.

extension JSONWriter {
    /// Bytes to reserve for the statistics of so many tunnels.
    static func statsCapacity(_ count: Int) -> Int { 128 + OutputSpan<UInt8>.statsBytes + count * 1152 }

    /// Counters and rates of all tunnels.
    mutating func stats(_ sample: Sample) {
        stats(sample.entries, in: sample)
    }

    /// Counters and rates of some tunnels, by name.
    mutating func stats(_ entries: some Collection<Sample.Entry>, in sample: Sample) {
        object { writer in
            writer.member("sampled_at", sample.sampledAt.description)
            writer.member("interval_seconds", toThousandths: sample.intervalSeconds)
            writer.array("items", entries) { writer, entry in
                writer.append(capacity: OutputSpan<UInt8>.statsBytes) { output in
                    output.append(identityOf: entry.view)
                    output.append(countersOf: entry, intervalSeconds: sample.intervalSeconds)
                    output.append(entry.totals, of: entry.view.tunnel)
                    output.append("}")
                }
            }
        }
    }

    /// Counters and rates of one tunnel; null where it has no link.
    mutating func stats(of view: TunnelView, in sample: Sample) {
        let entry = sample.entry(of: view.tunnel)
        append(capacity: 128 + OutputSpan<UInt8>.statsBytes) { output in
            output.append(identityOf: entry?.view ?? view)
            output.append(#","sampled_at":""#)
            output.append(text: sample.sampledAt.description)
            output.append(#"","interval_seconds":"#)
            output.append(toThousandths: sample.intervalSeconds)
            if let entry {
                output.append(countersOf: entry, intervalSeconds: sample.intervalSeconds)
            } else {
                output.append(#","rx":null,"tx":null,"drops":null,"rates":null,"rates_minute":null"#)
            }
            output.append(sample.totals(of: view.tunnel), of: view.tunnel)
            output.append("}")
        }
    }
}

extension OutputSpan<UInt8> {
    /// The most that an item needs: 45 numbers, 1,536 bytes for names and texts, and every reason for a drop.
    fileprivate static var statsBytes: Int {
        1536 + 45 * (integerBytes + 1) + DropReason.allCases.count * (integerBytes + 24)
    }

    /// The beginning of an item; the names need no escapes.
    fileprivate mutating func append(identityOf view: TunnelView) {
        append(#"{"name":""#)
        append(text: view.tunnel.name.text)
        append(#"","id":""#)
        append(text: view.tunnel.id.text)
        append(#"","ifindex":"#)
        if let ifindex = view.status.ifindex { append(decimal: ifindex) } else { append("null") }
        append(#","epoch":"#)
        append(decimal: view.status.epoch)
    }

    fileprivate mutating func append(countersOf entry: Sample.Entry, intervalSeconds: Double) {
        append(directionsOf: entry.counters)
        append(entry.reasons)
        append(#","rates":"#)
        if let growth = entry.growth, intervalSeconds > 0 {
            append("{")
            append(ratesOf: growth, in: intervalSeconds)
            append("}")
        } else {
            append("null")
        }
        append(#","rates_minute":"#)
        if let (growth, seconds) = entry.minute, seconds > 0 {
            append("{")
            append(ratesOf: growth, in: seconds)
            append(#","seconds":"#)
            append(toThousandths: seconds)
            append("}")
        } else {
            append("null")
        }
    }

    fileprivate mutating func append(_ totals: LinkCounters, of tunnel: Tunnel) {
        append(#","totals":{"since":""#)
        append(text: tunnel.createdAt.description)
        append("\"")
        append(directionsOf: totals)
        append("}")
    }

    private mutating func append(directionsOf counters: LinkCounters) {
        append(#","rx":{"#)
        append(counters.rx)
        append(#"},"tx":{"#)
        append(counters.tx)
        append(#","carrier_errors":"#)
        append(decimal: counters.carrierErrors)
        append("}")
    }

    private mutating func append(_ direction: LinkCounters.Direction) {
        append(#""bytes":"#)
        append(decimal: direction.bytes)
        append(#","packets":"#)
        append(decimal: direction.packets)
        append(#","errors":"#)
        append(decimal: direction.errors)
        append(#","dropped":"#)
        append(decimal: direction.dropped)
    }

    private mutating func append(ratesOf growth: LinkCounters, in seconds: Double) {
        append(#""rx_bits_per_second":"#)
        append(toThousandths: Double(growth.rx.bytes) * 8 / seconds)
        append(#","rx_packets_per_second":"#)
        append(toThousandths: Double(growth.rx.packets) / seconds)
        append(#","rx_errors_per_second":"#)
        append(toThousandths: Double(growth.rx.errors) / seconds)
        append(#","rx_dropped_per_second":"#)
        append(toThousandths: Double(growth.rx.dropped) / seconds)
        append(#","tx_bits_per_second":"#)
        append(toThousandths: Double(growth.tx.bytes) * 8 / seconds)
        append(#","tx_packets_per_second":"#)
        append(toThousandths: Double(growth.tx.packets) / seconds)
        append(#","tx_errors_per_second":"#)
        append(toThousandths: Double(growth.tx.errors) / seconds)
        append(#","tx_dropped_per_second":"#)
        append(toThousandths: Double(growth.tx.dropped) / seconds)
        append(#","tx_carrier_errors_per_second":"#)
        append(toThousandths: Double(growth.carrierErrors) / seconds)
    }

    private mutating func append(_ reasons: [DropReason: UInt64]) {
        append(#","drops":{"#)
        if reasons.isEmpty { return append("}") }
        var isFirst = true
        for reason in DropReason.allCases {
            guard let count = reasons[reason] else { continue }
            append(isFirst ? "\"" : ",\"")
            append(text: reason.rawValue)
            append("\":")
            append(decimal: count)
            isFirst = false
        }
        append("}")
    }
}
