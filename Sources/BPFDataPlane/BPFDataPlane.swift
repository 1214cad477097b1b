internal import CBPF
public import KernelDataPlane
internal import Netlink
public import Tunnels

/// Tunnels where the kernel has no `ipip`: TUN devices, and programs that put outer headers on and take them off. No
/// packet passes through this process, and none is lost when it ends.
public struct BPFDataPlane {
    public let plane: KernelDataPlane
    public let counters: any CounterSource

    /// Loads the programs in the network namespace of the thread that calls, or takes over those at work there.
    ///
    /// - Throws: what this host lacks, and what to do.
    public init(host: HostFiles, changes: ChangeCounter, watch: HostWatch) throws(TunnelProblem) {
        do {
            let socket = try NetlinkSocket(counters: changes.netlink)
            let takeover = try Takeover(socket)
            let programs = try takeover.programs()
            // What only a later start or the first tunnel would miss is missed now.
            try programs.find()
            _ = try TunDevice.openNode()
            changes.add(try takeover.renew(with: programs, socket))
            let carrier = try BPFCarrier(socket: socket, programs: programs, watch: watch, changes: changes)
            try carrier.begin(with: takeover)
            plane = try KernelDataPlane(carrier: carrier, host: host, counters: changes, watch: watch)
            counters = BPFCounters(programs.counters)
        } catch {
            throw Self.problem(error)
        }
    }

    /// What stands in the way of programs on this host, in words; nil when nothing does. Found out by trying.
    public static func obstacle() -> String? {
        // Several may try at once.
        let process = UInt32(getpid())
        return BPFSupport.obstacle(
            loading: ProgramObject.tunnelImage, name: "tunneld-\(process)",
            index: KernelDataPlane.firstIndex - 1 - process % 0x10000)?
            .description
    }

    private static func problem(_ error: any Error) -> TunnelProblem {
        guard !(error is NetlinkError), let obstacle = obstacle() else {
            return switch error {
            case let error as BPFError: TunnelProblem(error)
            case let error as NetlinkError: TunnelProblem(error)
            case let error as TunnelProblem: error
            default: TunnelProblem(.kernelRefused, "\(error)")
            }
        }
        return TunnelProblem(.kindUnsupported, "eBPF can't carry tunnels here: \(obstacle).")
    }

    /// Takes away what a daemon with this data plane left on links that aren't ours, for one that has another.
    public static func removeRemains(changes: ChangeCounter) throws(TunnelProblem) {
        do throws(NetlinkError) {
            let socket = try NetlinkSocket(counters: changes.netlink)
            let takeover = try Takeover(socket)
            guard !takeover.underlays.isEmpty else { return }
            if let programs = try? takeover.programs(),
                let underlays = try? Underlays(socket: socket, programs: programs, changes: changes)
            {
                underlays.keep(for: [tun_config]())
            } else {
                // Then it isn't known whether the places for filters are ours too.
                changes.add(takeover.underlays.count)
                _ = try socket.execute(
                    takeover.underlays.keys.map { .deleteFilter(TunnelPrograms.ingressPlace(on: $0)) })
            }
        } catch {
            throw TunnelProblem(error)
        }
    }
}
