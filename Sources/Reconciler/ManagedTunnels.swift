internal import TunnelStore
internal import Tunnels

/// What the writer knows of a tunnel.
@dynamicMemberLookup
struct Managed {
    var tunnel: Tunnel
    var status: TunnelStatus
    var upkeep: Upkeep

    init(tunnel: Tunnel, status: TunnelStatus, upkeep: Upkeep = Upkeep()) {
        (self.tunnel, self.status, self.upkeep) = (tunnel, status, upkeep)
    }

    subscript<Value>(dynamicMember member: WritableKeyPath<Upkeep, Value>) -> Value {
        get { upkeep[keyPath: member] }
        set { upkeep[keyPath: member] = newValue }
    }

    /// What only the writer has need of.
    struct Upkeep {
        var backoff = Backoff()
        /// A tunnel that failed isn't tried again for a while.
        var isBackingOff = false
        /// Whether it has had a link, maybe before the daemon's start: another one then begins an epoch.
        var hasHadLink = false
        /// Whether the kernel has had the present definition, so that what differs is somebody else's doing.
        var isEstablished = false
        /// The link's MTU when it last matched, in bytes.
        var acceptedMTU: Int?
        /// What others changed and is still so: the open rows of the ledger.
        var openDrifts: [DriftRecord] = []
        var pace = RepairPace()
        /// nil unless it is left alone because it had to be repaired too often.
        var suspension: Suspension?
        /// What its policy would adopt, and can't.
        var refusal: AdoptionRefusal?
    }

    /// Whether a difference comes about by what the definition leaves to the underlay. The link's own MTU doesn't change
    /// with that of the underlay: if it did, somebody changed it.
    func leavesOpen(_ difference: Difference) -> Bool {
        guard case .mtu(_, let observed) = difference, tunnel.definition.mtu == nil else { return false }
        return upkeep.acceptedMTU.map { $0 == observed } ?? true
    }

    /// Whether there is a difference that isn't in the ledger yet.
    func hasNews(in differences: [Difference]) -> Bool {
        differences.contains { difference in
            !upkeep.openDrifts.contains { $0.place == difference.place && $0.observed == difference.summary.observed }
        }
    }

    /// Shows that the link stays as somebody else made it.
    mutating func leave(_ link: ObservedLink?) {
        status.state = .drifted
        status.ifindex = link?.ifindex
        status.mtu = link?.mtu
    }
}

/// All that the writer knows, by tunnel.
///
/// Each is in a box of its own: in the dictionary itself, these large values would be moved each time that it grows,
/// and all copied when one changes while a look walks over them. Tunnel and status are in a view, which readers get
/// too, so that they are in memory once.
struct ManagedTunnels {
    fileprivate final class Box {
        private(set) var view: TunnelView
        private var upkeep: Managed.Upkeep

        init(_ managed: Managed) {
            view = TunnelView(tunnel: managed.tunnel, status: managed.status)
            upkeep = managed.upkeep
        }

        var managed: Managed {
            get { Managed(tunnel: view.tunnel, status: view.status, upkeep: upkeep) }
            set {
                if newValue.status != view.status || newValue.tunnel != view.tunnel {
                    view = TunnelView(tunnel: newValue.tunnel, status: newValue.status)
                }
                upkeep = newValue.upkeep
            }
        }
    }

    private var boxes: [TunnelID: Box] = [:]

    var count: Int { boxes.count }
    var ids: Set<TunnelID> { Set(boxes.keys) }
    var tunnels: [Tunnel] { boxes.values.map(\.view.tunnel) }

    /// All of them, each as it is when its turn comes.
    var values: some Sequence<Managed> { Values(boxes: boxes.values) }

    /// Tunnel and status as they are.
    func view(_ id: TunnelID) -> TunnelView? { boxes[id]?.view }

    subscript(id: TunnelID) -> Managed? {
        get { boxes[id]?.managed }
        set {
            guard let newValue else {
                boxes[id] = nil
                return
            }
            if let box = boxes[id] { box.managed = newValue } else { boxes[id] = Box(newValue) }
        }
    }

    mutating func reserve(_ count: Int) { boxes.reserveCapacity(count) }

    private struct Values: Sequence, IteratorProtocol {
        let underestimatedCount: Int
        private var boxes: Dictionary<TunnelID, Box>.Values.Iterator

        init(boxes: Dictionary<TunnelID, Box>.Values) {
            underestimatedCount = boxes.count
            self.boxes = boxes.makeIterator()
        }

        mutating func next() -> Managed? { boxes.next()?.managed }
    }
}
