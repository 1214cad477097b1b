/// Which mechanism carries a tunnel's packets.
public enum DataPlaneKind: String, Sendable, CaseIterable {
    /// The kernel's own `ipip`.
    case kernel
    /// A TUN device and eBPF programs.
    case bpf

    /// The driver of its links, as `ip -d link` names it.
    public var linkKind: String {
        switch self {
        case .kernel: "ipip"
        case .bpf: "tun"
        }
    }

    /// The drivers of our links, whichever data plane made them.
    public static let allLinkKinds = Set(allCases.map(\.linkKind))
}

/// What became of a tunnel in the kernel, as last seen.
public struct TunnelStatus: Hashable, Sendable {
    public enum State: String, Sendable, CaseIterable {
        /// In the kernel as defined, and up.
        case up
        /// In the kernel as defined, and switched off.
        case down
        /// Stored; not yet brought to the kernel.
        case pending
        /// The kernel refused it; `problem` says why. Tried again, ever more slowly.
        case failed
        /// The kernel differs from the definition; `drift` says how.
        case drifted
    }

    public var state: State
    public var dataPlane: DataPlaneKind
    /// nil while there is no link.
    public var ifindex: Int32?
    /// Bytes, as the link has it; nil while there is no link.
    public var mtu: Int?
    /// When the kernel was last known to match; nil if never.
    public var reconciledAt: Timestamp?
    public var problem: TunnelProblem?
    /// Counts up when the link was made anew, so that its counters began again; from 1.
    public var epoch: Int64 = 1
    /// The newest differences found that we didn't make, repaired or not.
    public var drift: [Drift]

    public init(
        state: State, dataPlane: DataPlaneKind, ifindex: Int32? = nil, mtu: Int? = nil,
        reconciledAt: Timestamp? = nil, problem: TunnelProblem? = nil, drift: [Drift] = []
    ) {
        self.state = state
        self.dataPlane = dataPlane
        self.ifindex = ifindex
        self.mtu = mtu
        self.reconciledAt = reconciledAt
        self.problem = problem
        self.drift = drift
    }
}

/// A difference between desired and observed that somebody else made.
public struct Drift: Hashable, Sendable {
    /// The definition's field, or `link` where the link itself is gone.
    public var field: String
    public var desired: String
    public var observed: String
    public var foundAt: Timestamp
    /// Since when kernel and definition agree on it again; nil while they don't.
    public var repairedAt: Timestamp?

    public init(field: String, desired: String, observed: String, foundAt: Timestamp) {
        self.field = field
        self.desired = desired
        self.observed = observed
        self.foundAt = foundAt
    }
}

/// Why a tunnel isn't as it should be, or why a write was refused by the host.
public struct TunnelProblem: Error, Hashable, Sendable {
    public enum Code: String, Sendable, CaseIterable {
        /// The name belongs to a link that isn't ours.
        case nameTaken = "name-taken"
        /// A link that isn't ours has the same local, remote and underlay.
        case endpointsTaken = "endpoints-taken"
        /// A route to the same network with the same metric exists.
        case routeTaken = "route-taken"
        /// The underlay named in the definition doesn't exist.
        case underlayMissing = "underlay-missing"
        /// A route or address of the tunnel would carry the tunnel's own outer packets.
        case routeSwallowsRemote = "route-swallows-remote"
        /// The kernel has no `ipip` and can't load it.
        case kindUnsupported = "kind-unsupported"
        /// CAP_NET_ADMIN is missing.
        case permissionMissing = "permission-missing"
        /// Any other refusal by the kernel.
        case kernelRefused = "kernel-refused"
        /// Somebody changes the link as often as it is repaired; it is left alone for a while.
        case repairSuspended = "repair-suspended"
        /// Somebody's change can't be taken into the definition, as its policy would have it.
        case adoptionRefused = "adoption-refused"
    }

    public let code: Code
    /// What happened and what to do.
    public let detail: String
    /// The kernel's error as its symbol, `EINVAL`; nil where the kernel wasn't asked.
    public let errno: String?
    /// The kernel's own words (extended acknowledgement); nil where it gave none.
    public let kernelMessage: String?

    public init(_ code: Code, _ detail: String, errno: String? = nil, kernelMessage: String? = nil) {
        self.code = code
        self.detail = detail
        self.errno = errno
        self.kernelMessage = kernelMessage
    }
}
