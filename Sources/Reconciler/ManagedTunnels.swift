internal import TunnelStore
internal import Tunnels

/// What the writer knows of a tunnel.
struct Managed {
    var tunnel: Tunnel
    var status: TunnelStatus
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

    /// Whether a difference comes about by what the definition leaves to the underlay. The link's own MTU doesn't change
    /// with that of the underlay: if it did, somebody changed it.
    func leavesOpen(_ difference: Difference) -> Bool {
        guard case .mtu(_, let observed) = difference, tunnel.definition.mtu == nil else { return false }
        return acceptedMTU.map { $0 == observed } ?? true
    }

    /// Whether there is a difference that isn't in the ledger yet.
    func hasNews(in differences: [Difference]) -> Bool {
        differences.contains { difference in
            !openDrifts.contains { $0.place == difference.place && $0.observed == difference.summary.observed }
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
/// and all copied when one changes while a look walks over them.
struct ManagedTunnels {
    fileprivate final class Box {
        var managed: Managed

        init(_ managed: Managed) { self.managed = managed }
    }

    private var boxes: [TunnelID: Box] = [:]

    var count: Int { boxes.count }
    var ids: Set<TunnelID> { Set(boxes.keys) }

    /// All of them, each as it is when its turn comes.
    var values: some Sequence<Managed> { Values(boxes: boxes.values) }

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
