internal import Netlink
internal import Synchronization
public import Tunnels

/// Reads the counters of all links with `RTM_GETSTATS`, over a socket of its own.
public final class KernelCounters: CounterSource {
    private let socket: Mutex<NetlinkSocket>
    /// How many links there were last time, so that the table needn't grow step by step.
    private let count = Atomic(0)

    /// - Parameter counter: counts what is asked.
    public init(counter: ChangeCounter = ChangeCounter()) throws(TunnelProblem) {
        do throws(NetlinkError) {
            socket = Mutex(try NetlinkSocket(counters: counter.netlink, dumpsOften: true))
        } catch {
            throw TunnelProblem(error)
        }
    }

    public func counters() throws(TunnelProblem) -> CounterTable {
        let expected = count.load(ordering: .relaxed)
        let result: Result<CounterTable, NetlinkError> = socket.withLock { socket in
            Result { () throws(NetlinkError) in
                try socket.statistics(into: CounterTable(capacity: expected)) { table, statistics in
                    table.append(
                        Tunnels.LinkCounters(statistics.counters), of: Int32(bitPattern: statistics.index))
                }
            }
        }
        switch result {
        case .success(let table):
            count.store(table.count, ordering: .relaxed)
            return table
        case .failure(let error): throw TunnelProblem(error)
        }
    }

    public func isOurMaking(_ ifindex: Int32) -> Bool { UInt32(bitPattern: ifindex) >= KernelDataPlane.firstIndex }
}

extension Tunnels.LinkCounters {
    init(_ counters: Netlink.LinkCounters) {
        self.init()
        rx.bytes = counters.rxBytes
        rx.packets = counters.rxPackets
        rx.errors = counters.rxErrors
        rx.dropped = counters.rxDropped
        tx.bytes = counters.txBytes
        tx.packets = counters.txPackets
        tx.errors = counters.txErrors
        tx.dropped = counters.txDropped
        carrierErrors = counters.txCarrierErrors
    }
}
