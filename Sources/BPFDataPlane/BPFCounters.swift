internal import CBPF
internal import Tunnels

/// Reads the programs' counters: a TUN device's own don't move when a program takes its packets.
final class BPFCounters: CounterSource {
    private let map: PerCPUCounters<UInt32, tun_counter>

    init(_ counters: PerCPUCounters<UInt32, tun_counter>) {
        map = counters
    }

    func counters() throws(TunnelProblem) -> CounterTable {
        do throws(BPFError) {
            let totals = try map.totals()
            var table = CounterTable(capacity: totals.count)
            for (index, total) in totals {
                let (ifindex, counters) = (Int32(bitPattern: index), LinkCounters(total))
                table.append(counters, of: ifindex)
                // As on most links: then there is nothing to tell.
                if counters.rx.hasLosses || counters.tx.hasLosses { table.reasons[ifindex] = total.reasons }
            }
            return table
        } catch {
            throw TunnelProblem(error)
        }
    }

    /// A device that somebody else made has no programs, and so no counters here.
    func isOurMaking(_ ifindex: Int32) -> Bool { true }
}

extension LinkCounters {
    init(_ total: tun_counter) {
        self.init()
        rx.bytes = total.rx_bytes
        rx.packets = total.rx_packets
        tx.bytes = total.tx_bytes
        tx.packets = total.tx_packets
        // As the kernel's ipip sorts them: what is wrong with a packet is an error, what is wrong with the host a drop.
        rx.errors = total.rx_outer_header + total.rx_not_ipv4 + total.rx_inner_header + total.rx_ecn
        rx.dropped = total.rx_fragment + total.rx_down + total.rx_failed
        tx.errors = total.tx_not_ipv4 + total.tx_inner_header + total.tx_no_route + total.tx_loop + total.tx_too_big
        tx.dropped = total.tx_nested + total.tx_failed
        carrierErrors = total.tx_no_route
    }
}

extension LinkCounters.Direction {
    fileprivate var hasLosses: Bool { errors > 0 || dropped > 0 }
}

extension tun_counter {
    /// Each drop under its name; those that never happened are left out.
    fileprivate var reasons: [DropReason: UInt64] {
        let all: [(DropReason, UInt64)] = [
            (.rxOuterHeader, rx_outer_header), (.rxFragment, rx_fragment), (.rxNotIPv4, rx_not_ipv4),
            (.rxInnerHeader, rx_inner_header), (.rxECN, rx_ecn), (.rxDown, rx_down), (.rxFailed, rx_failed),
            (.txNotIPv4, tx_not_ipv4), (.txInnerHeader, tx_inner_header), (.txTooBig, tx_too_big),
            (.txNoRoute, tx_no_route), (.txLoop, tx_loop), (.txNested, tx_nested), (.txFailed, tx_failed),
        ]
        return Dictionary(uniqueKeysWithValues: all.filter { $0.1 > 0 })
    }
}
