internal import HTTPServer
internal import Reconciler
internal import Tunnels

// Statistics are most of what is sent where there are many tunnels: the fixed text of an item is written as it is.

extension JSONWriter {
    /// Bytes to reserve for the statistics of so many tunnels.
    static func statsCapacity(_ count: Int) -> Int { 128 + OutputSpan<UInt8>.statsBytes + count * 448 }

    /// Counters and rates of all tunnels.
    mutating func stats(_ sample: Sample) {
        object { writer in
            writer.member("sampled_at", sample.sampledAt.description)
            writer.member("interval_seconds", toThousandths: sample.intervalSeconds)
            writer.array("items", sample.entries) { writer, entry in
                writer.append(capacity: OutputSpan<UInt8>.statsBytes) { output in
                    output.append(identityOf: entry.view)
                    output.append(countersOf: entry, intervalSeconds: sample.intervalSeconds)
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
                output.append(#","rx":null,"tx":null,"drops":null,"rates":null"#)
            }
            output.append("}")
        }
    }
}

extension OutputSpan<UInt8> {
    /// The most that an item needs: 14 numbers, 320 bytes for names and texts, and every reason for a drop.
    fileprivate static var statsBytes: Int {
        320 + 14 * (integerBytes + 1) + DropReason.allCases.count * (integerBytes + 24)
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
        append(#","rx":"#)
        append(entry.counters.rx)
        append(#","tx":"#)
        append(entry.counters.tx)
        append(entry.reasons)
        guard let growth = entry.growth, intervalSeconds > 0 else { return append(#","rates":null"#) }
        append(#","rates":{"rx_bits_per_second":"#)
        append(toThousandths: Double(growth.rx.bytes) * 8 / intervalSeconds)
        append(#","rx_packets_per_second":"#)
        append(toThousandths: Double(growth.rx.packets) / intervalSeconds)
        append(#","tx_bits_per_second":"#)
        append(toThousandths: Double(growth.tx.bytes) * 8 / intervalSeconds)
        append(#","tx_packets_per_second":"#)
        append(toThousandths: Double(growth.tx.packets) / intervalSeconds)
        append("}")
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

    private mutating func append(_ direction: LinkCounters.Direction) {
        append(#"{"bytes":"#)
        append(decimal: direction.bytes)
        append(#","packets":"#)
        append(decimal: direction.packets)
        append(#","errors":"#)
        append(decimal: direction.errors)
        append(#","dropped":"#)
        append(decimal: direction.dropped)
        append("}")
    }
}
