internal import Synchronization
public import Tunnels

/// The tunnels as readers see them: the newest view of each, by name and by id. Readers hold the lock for a look-up,
/// the writer for one insertion, so that neither waits for the other's work.
public final class Directory: Sendable {
    private struct State {
        /// By name.
        var sorted: [TunnelView] = []
        var byName: [String: TunnelView] = [:]
        var byID: [TunnelID: TunnelView] = [:]

        /// The first position whose name isn't before `name`.
        func position(of name: InterfaceName) -> Int {
            var (low, high) = (0, sorted.count)
            while low < high {
                let middle = (low + high) / 2
                if sorted[middle].tunnel.name < name { low = middle + 1 } else { high = middle }
            }
            return low
        }

        mutating func remove(_ view: TunnelView) {
            byName[view.tunnel.name.text] = nil
            byID[view.tunnel.id] = nil
            sorted.remove(at: position(of: view.tunnel.name))
        }

        mutating func insert(_ view: TunnelView) {
            byName[view.tunnel.name.text] = view
            byID[view.tunnel.id] = view
            sorted.insert(view, at: position(of: view.tunnel.name))
        }
    }

    /// Told of each change after it is to be seen, on the writer's thread: the tunnel's newest view, nil for none.
    typealias Observer = @Sendable (TunnelKey, TunnelView?) -> Void

    private let state = Mutex(State())
    private let observer = Mutex<Observer?>(nil)

    init() {}

    public func view(_ key: TunnelKey) -> TunnelView? {
        state.withLock { state in
            switch key {
            case .name(let name): state.byName[name.text]
            case .id(let id): state.byID[id]
            }
        }
    }

    /// All views, by name.
    public var views: [TunnelView] {
        state.withLock { $0.sorted }
    }

    /// At most `limit` views whose names follow `name` and that `matches` accepts, by name, and whether more follow.
    public func page(
        after name: InterfaceName?, limit: Int, where matches: (TunnelView) -> Bool
    ) -> (views: [TunnelView], hasMore: Bool) {
        let (sorted, start) = state.withLock { state in
            let start = name.map { state.position(of: $0) } ?? 0
            return (state.sorted, start)
        }
        var page: [TunnelView] = []
        for view in sorted[start...] where view.tunnel.name != name && matches(view) {
            if page.count == limit { return (page, true) }
            page.append(view)
        }
        return (page, false)
    }

    var count: Int {
        state.withLock { $0.sorted.count }
    }

    /// Shows a newer view in the place of the tunnel's former one.
    func publish(_ view: TunnelView) {
        let name = view.tunnel.name
        let formerName: InterfaceName? = state.withLock { state in
            let former = state.byID[view.tunnel.id]
            if let former {
                if former.tunnel.name == name {
                    state.byName[name.text] = view
                    state.byID[view.tunnel.id] = view
                    state.sorted[state.position(of: name)] = view
                    return nil
                }
                state.remove(former)
            }
            state.insert(view)
            return former?.tunnel.name
        }
        guard let observer = observer.withLock({ $0 }) else { return }
        if let formerName { observer(.name(formerName), nil) }
        observer(.name(name), view)
        observer(.id(view.tunnel.id), view)
    }

    func remove(_ id: TunnelID) {
        let removed = state.withLock { state in
            let view = state.byID[id]
            if let view { state.remove(view) }
            return view
        }
        guard let removed, let observer = observer.withLock({ $0 }) else { return }
        observer(.name(removed.tunnel.name), nil)
        observer(.id(id), nil)
    }

    func watch(_ observer: @escaping Observer) {
        self.observer.withLock { $0 = observer }
    }
}
