internal import BPFDataPlane
internal import KernelDataPlane
internal import Logging
internal import Tunnels

/// Chooses what carries tunnels on this host.
enum DataPlanes {
    struct Opened {
        let plane: KernelDataPlane
        let counters: any CounterSource
        let standIn: HostReport.StandIn?
    }

    /// - Parameter choice: `auto` takes the kernel's `ipip` where there is one, else the programs, else again the
    ///   kernel's, whose refusals say what is missing.
    static func open(
        _ choice: DataPlaneChoice, changes: ChangeCounter, watch: HostWatch, logger: Logger
    ) throws(TunnelProblem) -> Opened {
        let host = HostFiles()
        switch choice {
        case .kernel: return try kernel(host, changes, watch)
        case .bpf: return try programs(host, changes, watch)
        case .auto:
            guard !KernelDataPlane.isSupported() else { return try kernel(host, changes, watch) }
            do throws(TunnelProblem) {
                return try programs(host, changes, watch)
            } catch {
                logger.warning("this host can carry no tunnels", metadata: ["problem": "\(error.detail)"])
                return try kernel(host, changes, watch, obstacle: BPFDataPlane.obstacle() ?? error.detail)
            }
        }
    }

    private static func kernel(
        _ host: HostFiles, _ changes: ChangeCounter, _ watch: HostWatch, obstacle: String? = nil
    ) throws(TunnelProblem) -> Opened {
        try BPFDataPlane.removeRemains(changes: changes)
        return Opened(
            plane: try KernelDataPlane(host: host, counters: changes, watch: watch, obstacle: obstacle),
            counters: try KernelCounters(counter: changes), standIn: obstacle.map { .nothing(obstacle: $0) })
    }

    private static func programs(
        _ host: HostFiles, _ changes: ChangeCounter, _ watch: HostWatch
    ) throws(TunnelProblem) -> Opened {
        let programs = try BPFDataPlane(host: host, changes: changes, watch: watch)
        return Opened(plane: programs.plane, counters: programs.counters, standIn: .bpf)
    }
}
