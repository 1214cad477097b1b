public import TunnelStore
public import Tunnels

/// A change that a client asks for.
public struct Write: Sendable {
    public enum Change: Sendable {
        case create(TunnelDefinition)
        /// Creates, or replaces the tunnel of the definition's name; the same definition twice changes nothing.
        case put(TunnelDefinition)
        /// Makes a new definition of the present one.
        case modify(TunnelKey, @Sendable (TunnelDefinition) throws(WriteRefusal) -> TunnelDefinition)
        case delete(TunnelKey)
        /// Makes a tunnel of a link that somebody else made, as it is.
        case adopt(Adopting)
        /// Forgets a tunnel and leaves its link as it is.
        case unmanage(TunnelKey)
    }

    /// A link to be adopted, and what it can't tell of its tunnel.
    public struct Adopting: Sendable {
        public var link: String
        public var driftPolicy = DriftPolicy.enforce
        public var labels: [String: String] = [:]
        public var comment = ""

        public init(link: String) {
            self.link = link
        }
    }

    /// What must hold of the tunnel for the write to happen (RFC 9110, section 13.1).
    public enum Precondition: Sendable {
        /// `If-Match: *`.
        case exists
        /// `If-Match` with revisions, or `revision` in the body.
        case revision([Int64])
        /// `If-None-Match: *`.
        case absent
    }

    public var change: Change
    public var precondition: Precondition?
    /// Who asks, for the event: `uid 0` or `token <id>`.
    public var author: String
    /// `Prefer: respond-async`: answered when stored; the kernel follows.
    public var isAsynchronous: Bool
    public var receipt: Receipt<WriteOutcome>?

    public init(
        _ change: Change, precondition: Precondition? = nil, author: String, isAsynchronous: Bool = false,
        receipt: Receipt<WriteOutcome>? = nil
    ) {
        self.change = change
        self.precondition = precondition
        self.author = author
        self.isAsynchronous = isAsynchronous
        self.receipt = receipt
    }
}

/// What a write did. It is durable, and in the kernel unless it was asynchronous.
public enum WriteOutcome: Sendable {
    case created(TunnelView)
    case changed(TunnelView)
    /// The tunnel was as wanted already.
    case unchanged(TunnelView)
    case deleted
}

/// Why a write didn't happen. Nothing of it is left, in the database or the kernel.
public enum WriteRefusal: Error, Sendable {
    case invalid([Violation])
    case notFound
    /// A precondition failed; the tunnel's present revision, nil where there is none.
    case preconditionFailed(current: Int64?)
    /// There is no link of that name.
    case linkNotFound(String)
    /// The link can't be a tunnel as it is.
    case notAdoptable(String, [Adoption.Note])
    /// The tunnel's link can't do without the daemon.
    case unmanageUnsupported(InterfaceName)
    /// Another tunnel has the name, the endpoints or an address. `pointer` is the field in the definition.
    case taken(Taken, by: InterfaceName, id: TunnelID, pointer: String)
    /// A change waits to be confirmed: until then nothing else is written.
    case checkpointPending(Checkpoint)
    /// The host refused.
    case host(TunnelProblem)
    /// The host refused these of a set, and so all of it.
    case items([ItemRefusal])
    /// A set can't be made true beside the tunnels that it may not touch.
    case conflicts([SetConflict])
    /// The set of all tunnels isn't at the revision that was asked for.
    case setChanged(current: Int64)
    /// The database refused: disk full, damaged, no permission.
    case storage(StoreError)
    /// There are as many tunnels as the daemon holds.
    case tooManyTunnels(limit: Int)
    /// More writes wait than the daemon holds; try again.
    case overloaded
    /// The daemon is stopping.
    case stopping

    public enum Taken: String, Sendable {
        case name = "name-taken"
        case endpoints = "endpoints-taken"
        case address = "address-taken"
    }
}
