public import Tunnels

/// A former state of some tunnels, kept until the change is confirmed: without that, all goes back at the deadline.
public struct Checkpoint: Hashable, Sendable {
    /// Confirms the checkpoint when the address answers through the tunnel.
    public struct Probe: Hashable, Sendable {
        public let address: IPv4Address
        public let tunnel: InterfaceName

        public init(address: IPv4Address, tunnel: InterfaceName) {
            self.address = address
            self.tunnel = tunnel
        }
    }

    public enum Outcome: String, Sendable, CaseIterable {
        case confirmed, reverted
    }

    /// A tunnel whose former definition is stored again, and that the kernel refused.
    public struct Failure: Hashable, Sendable {
        public let tunnel: InterfaceName
        public let problem: TunnelProblem

        public init(tunnel: InterfaceName, problem: TunnelProblem) {
            self.tunnel = tunnel
            self.problem = problem
        }
    }

    public struct End: Hashable, Sendable {
        public let outcome: Outcome
        public let at: Timestamp
        /// Who asked for it; nil where the probe was answered, or the deadline passed.
        public let actor: String?
        public var failures: [Failure]

        public init(_ outcome: Outcome, at: Timestamp, actor: String?, failures: [Failure] = []) {
            self.outcome = outcome
            self.at = at
            self.actor = actor
            self.failures = failures
        }
    }

    public let id: CheckpointID
    public let createdAt: Timestamp
    public let deadline: Timestamp
    /// Who made the change.
    public let actor: String
    /// nil where only a client confirms.
    public let probe: Probe?
    /// How many tunnels it is of.
    public let tunnels: Int
    /// nil while it is pending.
    public var end: End?

    public init(
        id: CheckpointID, createdAt: Timestamp, deadline: Timestamp, actor: String, probe: Probe?, tunnels: Int,
        end: End? = nil
    ) {
        self.id = id
        self.createdAt = createdAt
        self.deadline = deadline
        self.actor = actor
        self.probe = probe
        self.tunnels = tunnels
        self.end = end
    }
}

/// A tunnel as it was before a change.
public struct FormerTunnel: Hashable, Sendable {
    public let id: TunnelID
    /// nil where there was none.
    public let tunnel: Tunnel?
    /// Of its link (see ``TunnelStatus``).
    public let epoch: Int64

    public init(_ tunnel: Tunnel, epoch: Int64) {
        id = tunnel.id
        self.tunnel = tunnel
        self.epoch = epoch
    }

    /// There was none of that id.
    public init(none id: TunnelID) {
        self.id = id
        tunnel = nil
        epoch = 0
    }
}
