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
}

/// All that the writer knows, by tunnel.
///
/// Each is in a box of its own: in the dictionary itself, these large values would be moved each time that it grows,
/// and all copied when one changes while a look walks over them. Tunnel and status are in a view, which readers get
/// too, so that they are in memory once.
struct ManagedTunnels {
    fileprivate final class Box {
        private(set) var view: TunnelView
        private var backoff: Backoff
        private var isBackingOff: Bool
        private var hasHadLink: Bool

        init(_ managed: Managed) {
            view = TunnelView(tunnel: managed.tunnel, status: managed.status)
            backoff = managed.backoff
            isBackingOff = managed.isBackingOff
            hasHadLink = managed.hasHadLink
        }

        var managed: Managed {
            get {
                Managed(
                    tunnel: view.tunnel, status: view.status, backoff: backoff, isBackingOff: isBackingOff,
                    hasHadLink: hasHadLink)
            }
            set {
                if newValue.status != view.status || newValue.tunnel != view.tunnel {
                    view = TunnelView(tunnel: newValue.tunnel, status: newValue.status)
                }
                backoff = newValue.backoff
                isBackingOff = newValue.isBackingOff
                hasHadLink = newValue.hasHadLink
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
