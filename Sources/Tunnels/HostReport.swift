/// What a host can do for tunnels, and what it lacks.
public struct HostReport: Hashable, Sendable {
    public struct Module: Hashable, Sendable {
        public enum State: String, Sendable, CaseIterable {
            /// Part of the kernel itself.
            case builtIn = "built_in"
            case loaded
            /// Installed; the kernel loads it when the daemon first needs it.
            case loadable
            /// Neither in the kernel nor installed, as far as its files tell.
            case missing
        }

        public let name: String
        public let state: State

        public init(name: String, state: State) {
            self.name = name
            self.state = state
        }
    }

    /// As `uname -r` says.
    public var kernelRelease: String
    public var hostname: String
    public var modules: [Module]
    /// `net.ipv4.ip_forward`; nil if it can't be read.
    public var forwardsIPv4: Bool?
    /// `net.ipv4.conf.all.rp_filter`: 1 drops what comes in by another link than the answer would leave by.
    public var reversePathFilter: Int?
    public var canAdministerNetwork: Bool
    public var canLoadModules: Bool
    /// What carries tunnels here, where that isn't the kernel's `ipip`.
    public var standIn: StandIn?

    public enum StandIn: Hashable, Sendable {
        case bpf
        /// Neither: why eBPF can't.
        case nothing(obstacle: String)
    }

    public init(
        kernelRelease: String, hostname: String, modules: [Module], forwardsIPv4: Bool?,
        reversePathFilter: Int?,
        canAdministerNetwork: Bool, canLoadModules: Bool
    ) {
        self.kernelRelease = kernelRelease
        self.hostname = hostname
        self.modules = modules
        self.forwardsIPv4 = forwardsIPv4
        self.reversePathFilter = reversePathFilter
        self.canAdministerNetwork = canAdministerNetwork
        self.canLoadModules = canLoadModules
    }

    public func state(of module: String) -> Module.State? {
        modules.first { $0.name == module }?.state
    }

    /// Everything that stands in the way of tunnels, each with what to do; empty on a host that is ready.
    public var shortcomings: [String] {
        var found: [String] = []
        if !canAdministerNetwork {
            found.append("CAP_NET_ADMIN is missing: run tunneld as root, or give it the capability.")
        }
        if state(of: "ipip") == .missing, standIn != .bpf {
            var text =
                "The kernel module ipip is neither built in nor installed: install your distribution's full kernel package, "
                + "or boot a kernel that has it."
            if case .nothing(let obstacle) = standIn { text += " eBPF can't stand in for it: \(obstacle)." }
            found.append(text)
        }
        return found
    }
}
