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
        /// Counts the changes.
        var version = 0
        var revision: Int64 = 0

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

    /// Told by the writer of each change after it is to be seen: the tunnel's newest view, nil for none.
    typealias Observer = @Sendable (TunnelKey, TunnelView?) -> Void

    private let state = Mutex(State())
    /// In a structure: a closure that is the mutex's value itself gets a thunk around it with each access.
    private struct Audience {
        var observer: Observer?
    }

    private let audience = Mutex(Audience())

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

    /// Another one whenever a view changed.
    var version: Int {
        state.withLock { $0.version }
    }

    /// All views and the version that they are.
    var versioned: (views: [TunnelView], version: Int) {
        state.withLock { ($0.sorted, $0.version) }
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

    /// The revision of the set of all tunnels: grows with each change of a definition. Never newer than the views.
    public var revision: Int64 {
        state.withLock { $0.revision }
    }

    func note(revision: Int64) {
        state.withLock { $0.revision = revision }
    }

    var count: Int {
        state.withLock { $0.sorted.count }
    }

    /// Makes room for so many, so that it needn't grow step by step.
    func reserve(_ count: Int) {
        state.withLock { state in
            state.sorted.reserveCapacity(count)
            state.byName.reserveCapacity(count)
            state.byID.reserveCapacity(count)
        }
    }

    /// Shows many newer views at once, at a cost that grows with all views and not with their product.
    func publish(_ publication: Publication) {
        let views = publication.views
        let formerNames: [InterfaceName] = state.withLock { state in
            // Those that nobody has any more.
            var formerNames: [InterfaceName] = []
            for id in publication.removed { state.byID[id] = nil }
            for (id, view) in views { state.byID[id] = view }
            var kept: [TunnelView] = []
            kept.reserveCapacity(state.sorted.count)
            for view in state.sorted {
                let id = view.tunnel.id
                if views[id] == nil, !publication.removed.contains(id) {
                    kept.append(view)
                } else {
                    state.byName[view.tunnel.name.text] = nil
                    formerNames.append(view.tunnel.name)
                }
            }
            for view in views.values { state.byName[view.tunnel.name.text] = view }
            let new = views.values.sorted { $0.tunnel.name < $1.tunnel.name }
            state.sorted = kept.merged(with: new)
            state.version += 1
            return formerNames.filter { state.byName[$0.text] == nil }
        }
        guard let observer = audience.withLock({ $0.observer }) else { return }
        for name in formerNames { observer(.name(name), nil) }
        for id in publication.removed { observer(.id(id), nil) }
        for (id, view) in views {
            observer(.name(view.tunnel.name), view)
            observer(.id(id), view)
        }
    }

    /// Shows a newer view in the place of the tunnel's former one.
    func publish(_ view: TunnelView) {
        let name = view.tunnel.name
        let formerName: InterfaceName? = state.withLock { state in
            state.version += 1
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
        guard let observer = audience.withLock({ $0.observer }) else { return }
        if let formerName { observer(.name(formerName), nil) }
        observer(.name(name), view)
        observer(.id(view.tunnel.id), view)
    }

    func remove(_ id: TunnelID) {
        let removed = state.withLock { state in
            state.version += 1
            let view = state.byID[id]
            if let view { state.remove(view) }
            return view
        }
        guard let removed, let observer = audience.withLock({ $0.observer }) else { return }
        observer(.name(removed.tunnel.name), nil)
        observer(.id(id), nil)
    }

    func watch(_ observer: @escaping Observer) {
        audience.withLock { $0.observer = observer }
    }
}

/// What is published together.
struct Publication {
    var views: [TunnelID: TunnelView] = [:]
    var removed: Set<TunnelID> = []
}

extension [TunnelView] {
    /// Both are sorted by name, and so is the result.
    fileprivate func merged(with others: [TunnelView]) -> [TunnelView] {
        var merged: [TunnelView] = []
        merged.reserveCapacity(count + others.count)
        var rest = others[...]
        for view in self {
            while let next = rest.first, next.tunnel.name < view.tunnel.name {
                merged.append(next)
                rest.removeFirst()
            }
            merged.append(view)
        }
        return merged + rest
    }
}
