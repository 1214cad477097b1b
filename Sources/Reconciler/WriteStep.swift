internal import TunnelStore
internal import Tunnels

/// What is to be done for a write.
enum WriteDecision {
    case step(WriteStep)
    case unchanged(TunnelView)
}

extension Reconciler {
    /// What a write means for the tunnels there are.
    ///
    /// - Parameter room: how many more tunnels there may be.
    func decide(_ write: Write, room: Int) throws(WriteRefusal) -> WriteDecision {
        try refuseWhilePending()
        switch write.change {
        case .create(let definition):
            try check(write.precondition, against: nil)
            return .step(try creation(of: definition, room: room))
        case .put(let definition):
            let current = entry(.name(definition.name))
            try check(write.precondition, against: current?.tunnel)
            guard let current else { return .step(try creation(of: definition, room: room)) }
            return try replacement(of: current, by: definition)
        case .modify(let key, let transform):
            guard let current = entry(key) else { throw .notFound }
            try check(write.precondition, against: current.tunnel)
            return try replacement(of: current, by: try transform(current.tunnel.definition))
        case .delete(let key):
            guard let current = entry(key) else { throw .notFound }
            try check(write.precondition, against: current.tunnel)
            return .step(WriteStep(from: current, to: nil))
        // These have a way of their own.
        case .adopt, .unmanage: throw .notFound
        }
    }

    /// Writes a step with its event, which says who asked for it.
    func record(_ step: WriteStep, of write: Write, in transaction: inout Transaction) throws(WriteRefusal) {
        do throws(Refusal) {
            switch (step.former, step.wanted) {
            case (nil, let wanted?):
                try transaction.insert(wanted)
                try record(.created, of: wanted, by: write.author, in: &transaction)
            case (_?, let wanted?):
                try transaction.update(wanted)
                try record(.updated, of: wanted, by: write.author, in: &transaction)
            case (let former?, nil):
                try transaction.delete(former.id)
                try record(.deleted, of: former, by: write.author, in: &transaction)
            case (nil, nil): break
            }
        } catch {
            throw refusal(error, of: step)
        }
        try supersedeDrifts(of: step.id, in: &transaction)
        if write.isAsynchronous, let wanted = step.wanted, wanted.definition.driftPolicy != .enforce {
            try noteUnfinished(step.id, in: &transaction)
        }
    }

    func record(
        _ kind: Event.Kind, of tunnel: Tunnel, by author: String, in transaction: inout Transaction
    ) throws(Refusal) {
        do throws(StoreError) {
            try transaction.record(Event(at: batchTime, kind: kind, tunnel: tunnel, actor: author))
        } catch {
            throw .storage(error)
        }
    }

    func refusal(_ refusal: Refusal, of step: WriteStep) -> WriteRefusal {
        switch refusal {
        case .nameTaken(let holder): return .taken(.name, by: holder.name, id: holder.id, pointer: "/name")
        case .endpointsTaken(let holder):
            return .taken(.endpoints, by: holder.name, id: holder.id, pointer: "/remote")
        case .addressTaken(let address, let holder):
            let position = step.wanted?.definition.addresses.firstIndex(of: address) ?? 0
            return .taken(.address, by: holder.name, id: holder.id, pointer: "/addresses/\(position)")
        case .constraint(let message): return .invalid([Violation("", "the database refuses it: \(message)")])
        case .notFound: return .notFound
        case .storage(let error): return .storage(error)
        }
    }

    /// Publishes what became of one write.
    ///
    /// - Returns: the answer to it.
    func publish(_ item: BatchItem) -> Result<WriteOutcome, WriteRefusal> {
        if let refusal = item.refusal {
            counters.refusals.increment()
            return .failure(refusal)
        }
        if let view = item.unchanged { return .success(.unchanged(view)) }
        guard let step = item.step else { return .failure(.notFound) }
        counters.writes.increment()
        return .success(publish(step, item.asked?.result))
    }

    private func publish(_ step: WriteStep, _ result: Result<AppliedLink?, TunnelProblem>?) -> WriteOutcome {
        guard let wanted = step.wanted else {
            remove(step.id)
            if result == nil { fallBehind() }
            return .deleted
        }
        let entry = pendingEntry(step, wanted, result)
        if case .success(let link?) = result {
            let isNew = link.ifindex != step.ifindex
            accept(link, for: entry, isNew: isNew, at: batchTime)
            if isNew, entry.hasHadLink { record([], renewed: [step.id]) }
        } else {
            settle(entry)
            fallBehind()
        }
        let view = directory.view(.id(step.id)) ?? TunnelView(tunnel: wanted, status: entry.status)
        return step.former == nil ? .created(view) : .changed(view)
    }

    /// A tunnel as it is stored, before it is known what the kernel has of it.
    func pendingEntry(
        _ step: WriteStep, _ wanted: Tunnel, _ result: Result<AppliedLink?, TunnelProblem>?
    ) -> Managed {
        var entry =
            managed[step.id]
            ?? Managed(tunnel: wanted, status: TunnelStatus(state: .pending, dataPlane: plane.kind))
        entry.tunnel = wanted
        entry.isBackingOff = false
        entry.beginAnew()
        entry.status.state = .pending
        if case .success(.some) = result { entry.status.drift = [] }
        return entry
    }

    /// The kernel follows later.
    func fallBehind() {
        isBehind = true
        scheduleLook(after: .zero)
    }

    func entry(_ key: TunnelKey) -> Managed? {
        directory.view(key).flatMap { managed[$0.tunnel.id] }
    }

    func check(_ precondition: Write.Precondition?, against current: Tunnel?) throws(WriteRefusal) {
        let holds =
            switch precondition {
            case nil: true
            case .exists: current != nil
            case .absent: current == nil
            case .revision(let revisions): current.map { revisions.contains($0.revision) } ?? false
            }
        if !holds { throw .preconditionFailed(current: current?.revision) }
    }

    func creation(of definition: TunnelDefinition, room: Int) throws(WriteRefusal) -> WriteStep {
        guard room > 0 else { throw .tooManyTunnels(limit: limits.tunnels) }
        let now = batchTime
        let id = latestID?.successor ?? TunnelID(at: now, using: &random)
        latestID = id
        let tunnel = Tunnel(id: id, definition: definition, revision: 1, createdAt: now, updatedAt: now)
        try refuseSwallowing(tunnel)
        return WriteStep(former: nil, wanted: tunnel, id: id, name: definition.name.text, ifindex: nil)
    }

    private func replacement(
        of current: Managed, by definition: TunnelDefinition
    ) throws(WriteRefusal) -> WriteDecision {
        var wanted = current.tunnel
        guard wanted.definition != definition else {
            return .unchanged(TunnelView(tunnel: current.tunnel, status: current.status))
        }
        wanted.definition = definition
        wanted.revision += 1
        wanted.updatedAt = batchTime
        try refuseSwallowing(wanted)
        return .step(WriteStep(from: current, to: wanted))
    }
}

extension WriteStep {
    init(from current: Managed, to wanted: Tunnel?) {
        former = current.tunnel
        self.wanted = wanted
        id = current.tunnel.id
        name = (wanted ?? current.tunnel).name.text
        ifindex = current.status.ifindex
    }
}
