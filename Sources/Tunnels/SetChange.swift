/// What makes a set true: for each of its tunnels, and for each that is to be deleted, what there is and what shall be.
public struct SetChange: Sendable {
    public enum Action: String, Sendable, CaseIterable {
        case create, change, delete
        /// It is as wanted already.
        case keep
    }

    public struct Item: Sendable {
        /// In the set; nil for a tunnel that it doesn't list.
        public let position: Int?
        public let former: Tunnel?
        public let wanted: Tunnel?

        public init(position: Int? = nil, former: Tunnel?, wanted: Tunnel?) {
            self.position = position
            self.former = former
            self.wanted = wanted
        }

        public var action: Action {
            switch (former, wanted) {
            case (nil, _): .create
            case (_, nil): .delete
            case (let former?, let wanted?): former.revision == wanted.revision ? .keep : .change
            }
        }
    }

    /// In the order of the set, then what it doesn't list, by name.
    public var items: [Item]

    public init(items: [Item]) {
        self.items = items
    }

    /// Those that change something.
    public var steps: [Item] { items.filter { $0.action != .keep } }
}

/// Why a set can't be made true beside the tunnels that it may not touch. Pointers are into `{"tunnels": […]}`.
public struct SetConflict: Hashable, Sendable {
    public enum Reason: Hashable, Sendable {
        /// The tunnel of that name doesn't bear the scope's label.
        case outOfScope
        /// Another tunnel has it, and keeps it.
        case taken(UniqueValue)
        /// Another revision than the one that the client has seen; nil where there is no such tunnel.
        case otherRevision(Int64?)
    }

    public let reason: Reason
    public let pointer: String
    public let name: InterfaceName
    /// The tunnel that stands in the way, or that isn't as expected.
    public let holder: InterfaceName
}

public struct SetConflicts: Error, Sendable {
    /// At least one.
    public let conflicts: [SetConflict]
}

extension SetChange {
    /// What makes `set` true, given the tunnels there are.
    ///
    /// - Parameters:
    ///   - set: without violations.
    ///   - present: all tunnels, by name.
    ///   - limit: how many conflicts are told at most.
    public init(
        to set: TunnelSet, from present: some Collection<Tunnel>, at time: Timestamp,
        ids: inout TunnelIDSequence, limit: Int
    ) throws(SetConflicts) {
        var byName = [InterfaceName: Tunnel](minimumCapacity: present.count)
        for tunnel in present { byName[tunnel.name] = tunnel }
        var conflicts: [SetConflict] = []
        items = []
        items.reserveCapacity(set.items.count)
        for (position, item) in set.items.enumerated() {
            let former = byName.removeValue(forKey: item.definition.name)
            if let conflict = item.conflict(with: former, at: position, in: set.scope) { conflicts.append(conflict) }
            let wanted = item.definition.tunnel(replacing: former, at: time, ids: &ids)
            items.append(Item(position: position, former: former, wanted: wanted))
        }
        // What the set doesn't list is left in `byName`.
        var untouched: [Tunnel] = []
        for tunnel in present where byName[tunnel.name] != nil {
            if set.isPruning, set.scope?.holds(tunnel.definition) ?? true {
                items.append(Item(former: tunnel, wanted: nil))
            } else {
                untouched.append(tunnel)
            }
        }
        if !untouched.isEmpty { conflicts += self.conflicts(with: untouched) }
        guard conflicts.isEmpty else { throw SetConflicts(conflicts: Array(conflicts.prefix(limit))) }
    }

    /// What the items want and tunnels have that aren't touched.
    private func conflicts(with untouched: [Tunnel]) -> [SetConflict] {
        var wanted: [UniqueValue: (item: Int, place: Int)] = [:]
        for (position, item) in items.enumerated() where item.action != .keep {
            for (place, value) in (item.wanted?.definition.uniqueValues ?? []).enumerated() {
                wanted[value] = (position, place)
            }
        }
        guard !wanted.isEmpty else { return [] }
        var found: [SetConflict] = []
        for tunnel in untouched {
            for value in tunnel.definition.uniqueValues {
                guard let (item, place) = wanted[value], let name = items[item].wanted?.name else { continue }
                let pointer = "/tunnels/\(items[item].position ?? 0)\(UniqueValue.pointer(at: place))"
                found.append(
                    SetConflict(reason: .taken(value), pointer: pointer, name: name, holder: tunnel.name))
            }
        }
        return found
    }
}

extension TunnelSet.Item {
    fileprivate func conflict(
        with former: Tunnel?, at position: Int, in scope: TunnelSet.Scope?
    ) -> SetConflict? {
        let pointer = "/tunnels/\(position)"
        if let scope, let former, !scope.holds(former.definition) {
            return SetConflict(
                reason: .outOfScope, pointer: "\(pointer)/name", name: definition.name, holder: former.name)
        }
        guard let revision, revision != former?.revision else { return nil }
        return SetConflict(
            reason: .otherRevision(former?.revision), pointer: "\(pointer)/revision", name: definition.name,
            holder: definition.name)
    }
}

extension TunnelDefinition {
    /// The tunnel that has this definition; the former one itself where it has it already.
    fileprivate func tunnel(
        replacing former: Tunnel?, at time: Timestamp, ids: inout TunnelIDSequence
    ) -> Tunnel {
        guard var tunnel = former else {
            return Tunnel(id: ids.next(), definition: self, revision: 1, createdAt: time, updatedAt: time)
        }
        guard tunnel.definition != self else { return tunnel }
        tunnel.definition = self
        tunnel.revision += 1
        tunnel.updatedAt = time
        return tunnel
    }

    /// Whether the kernel's link of both is the same.
    public func hasSameLink(as other: TunnelDefinition) -> Bool {
        var like = other
        (like.labels, like.comment, like.driftPolicy) = (labels, comment, driftPolicy)
        return like == self
    }
}

/// Ids of tunnels that are made together, each after the one before.
public struct TunnelIDSequence: Sendable {
    private var time: Timestamp
    private var latest: TunnelID?

    public init(at time: Timestamp) {
        self.time = time
    }

    public mutating func next() -> TunnelID {
        var generator = SystemRandomNumberGenerator()
        if let latest, latest.successor == nil {
            // The counter of this millisecond is at its end; the next one's is free (RFC 9562, section 6.2).
            time = Timestamp(milliseconds: time.milliseconds + 1)
            self.latest = nil
        }
        let id = latest?.successor ?? TunnelID(at: time, using: &generator)
        latest = id
        return id
    }
}
