internal import Logging
internal import TunnelStore
internal import Tunnels

extension Reconciler {
    /// Makes all steps true in the database and the kernel, or none: whatever refuses, both are as before.
    ///
    /// - Parameters:
    ///   - author: for the events; nil where nobody asked.
    ///   - also: what the same transaction is to write besides, when the kernel has it all.
    func carryOut(
        _ steps: [SetChange.Item], by author: String?,
        _ also: (inout Transaction) throws(StoreError) -> Void = { (_) throws(StoreError) in }
    ) throws(WriteRefusal) {
        guard !steps.isEmpty else { return }
        let (targets, positions) = linkTargets(of: steps)
        var links = SetLinks(count: targets.count)
        let began = timing.uptime()
        defer { counters.noteBatch(took: timing.uptime() - began) }
        try noteUnfinished(targets.compactMap { $0.former?.id })
        do throws(WriteError<WriteRefusal>) {
            try store.write { (transaction) throws(WriteRefusal) in
                try record(steps, by: author, in: &transaction)
                links = bring(targets)
                if !links.refusals.isEmpty { throw refusal(links.refusals.map { (steps[positions[$0]], $1) }) }
                do throws(StoreError) { try also(&transaction) } catch { throw .storage(error) }
            }
        } catch {
            if links.isTouched { takeBack(targets, links) }
            noteLoadedModules()
            switch error {
            case .body(let refusal): throw refusal
            case .store(let error): throw .storage(error)
            }
        }
        noteLoadedModules()
        publish(steps, positions, links)
    }

    /// What a dry run tells: the plans that `carryOut` would begin with.
    func plans(for steps: [SetChange.Item]) throws(WriteRefusal) -> [TunnelPlan] {
        let (targets, positions) = linkTargets(of: steps)
        guard !targets.isEmpty else { return [] }
        let plan: SetPlan
        do throws(TunnelProblem) {
            plan = setPlan(
                for: targets, open: Array(targets.indices), in: try lookAtAll(with: targets), on: plane.kind)
        } catch {
            throw .host(error)
        }
        if !plan.refusals.isEmpty { throw refusal(plan.refusals.map { (steps[positions[$0.target]], $0.problem) }) }
        let waiting = plan.waiting.compactMap { position in targets[position].wanted.map(TunnelPlan.creation) }
        return plan.plans.map(\.plan) + waiting + plan.last.map(\.plan)
    }

    /// The links that the steps change, and for each the position of its step.
    private func linkTargets(of steps: [SetChange.Item]) -> ([LinkTarget], [Int]) {
        var targets: [LinkTarget] = []
        var positions: [Int] = []
        for (position, step) in steps.enumerated() {
            guard let id = (step.wanted ?? step.former)?.id else { continue }
            let status = managed[id]?.status
            if let former = step.former, let wanted = step.wanted, status?.state == .up || status?.state == .down,
                former.definition.hasSameLink(as: wanted.definition)
            {
                continue
            }
            targets.append(LinkTarget(step, id: id, ifindex: status?.ifindex))
            positions.append(position)
        }
        return (targets, positions)
    }

    private func refusal(_ refused: [(step: SetChange.Item, problem: TunnelProblem)]) -> WriteRefusal {
        .items(
            refused.sorted { ($0.step.position ?? .max) < ($1.step.position ?? .max) }.map { step, problem in
                let name = (step.wanted ?? step.former)?.name.text ?? ""
                return ItemRefusal(position: step.position, name: name, problem: problem)
            })
    }

    // MARK: - The database

    func record(
        _ steps: [SetChange.Item], by author: String?, in transaction: inout Transaction
    ) throws(WriteRefusal) {
        let moving = steps.moving
        for step in steps {
            if let former = step.former, step.wanted == nil || moving.contains(former.id) {
                do { try transaction.delete(former.id) } catch { throw refusal(error, of: step) }
            }
        }
        for step in steps {
            do throws(Refusal) {
                if let wanted = step.wanted {
                    if step.former == nil {
                        try transaction.insert(wanted)
                    } else if moving.contains(wanted.id) {
                        try transaction.insert(wanted)
                        try keepEpoch(of: wanted.id, in: &transaction)
                    } else {
                        try transaction.update(wanted)
                    }
                }
            } catch {
                throw refusal(error, of: step)
            }
        }
        for case let former? in steps.map(\.former) { try supersedeDrifts(of: former.id, in: &transaction) }
        do {
            for step in steps { try transaction.record(step.event(at: batchTime, by: author)) }
        } catch {
            throw .storage(error)
        }
    }

    private func keepEpoch(of id: TunnelID, in transaction: inout Transaction) throws(Refusal) {
        guard let epoch = managed[id]?.status.epoch, epoch > 1 else { return }
        do { try transaction.setEpoch(epoch, of: id) } catch { throw .storage(error) }
    }

    private func refusal(_ refusal: Refusal, of step: SetChange.Item) -> WriteRefusal {
        let place = step.position.map { "/tunnels/\($0)" } ?? ""
        switch refusal {
        case .storage(let error): return .storage(error)
        case .nameTaken(let holder): return .taken(.name, by: holder.name, id: holder.id, pointer: "\(place)/name")
        case .endpointsTaken(let holder):
            return .taken(.endpoints, by: holder.name, id: holder.id, pointer: "\(place)/remote")
        case .addressTaken(let address, let holder):
            let position = step.wanted?.definition.addresses.firstIndex(of: address) ?? 0
            return .taken(.address, by: holder.name, id: holder.id, pointer: "\(place)/addresses/\(position)")
        case .constraint(let message): return .invalid([Violation(place, "the database refuses it: \(message)")])
        case .notFound: return .notFound
        }
    }

    // MARK: - What became of it

    /// Keeps and publishes what all steps did.
    private func publish(_ steps: [SetChange.Item], _ positions: [Int], _ links: SetLinks) {
        var renewed: [TunnelID] = []
        var targets = zip(positions, links.links).makeIterator()
        var next = targets.next()
        publishingTogether {
            for (position, step) in steps.enumerated() {
                var link: AppliedLink?
                let isLinkChanged = next?.0 == position
                if isLinkChanged {
                    link = next?.1
                    next = targets.next()
                }
                guard let wanted = step.wanted else {
                    if let former = step.former { remove(former.id) }
                    continue
                }
                var entry =
                    managed[wanted.id]
                    ?? Managed(tunnel: wanted, status: TunnelStatus(state: .pending, dataPlane: plane.kind))
                entry.tunnel = wanted
                guard isLinkChanged else {
                    settle(entry)
                    continue
                }
                entry.isBackingOff = false
                entry.beginAnew()
                entry.status.state = .pending
                entry.status.drift = []
                guard let link else {
                    settle(entry)
                    scheduleLook(after: .zero)
                    continue
                }
                let isNew = link.ifindex != entry.status.ifindex
                if isNew, entry.hasHadLink { renewed.append(wanted.id) }
                accept(link, for: entry, isNew: isNew, at: batchTime)
            }
        }
        record([], renewed: renewed)
        counters.writes.increment(by: steps.count)
        publishRevision()
    }

    /// Gives the kernel back what it had.
    private func takeBack(_ targets: [LinkTarget], _ links: SetLinks) {
        let back = targets.indices.map { position in
            let target = targets[position]
            return LinkTarget(
                id: target.id, former: target.wanted, wanted: target.former,
                ifindex: links.links[position]?.ifindex ?? target.ifindex)
        }
        let result = bring(back, isUndo: true)
        var renewed: [TunnelID] = []
        publishingTogether {
            for (target, link) in zip(back, result.links) {
                guard let link, let entry = managed[target.id] else { continue }
                let isNew = link.ifindex != entry.status.ifindex
                if isNew, entry.hasHadLink { renewed.append(target.id) }
                accept(link, for: entry, isNew: isNew, at: batchTime)
            }
        }
        record([], renewed: renewed)
        for (position, problem) in result.refusals {
            // The database has the former definition, so the next look tries again.
            let metadata: Logger.Metadata = ["tunnel": "\(back[position].name)", "problem": "\(problem.detail)"]
            logger.error("change not undone yet", metadata: metadata)
        }
        if !result.refusals.isEmpty { scheduleLook(after: .zero) }
    }
}

extension [SetChange.Item] {
    /// The tunnels that stand in the way of others' new names, endpoints or addresses. The database's indexes are
    /// immediate: these are deleted and inserted again.
    fileprivate var moving: Set<TunnelID> {
        var wanted: [UniqueValue: TunnelID] = [:]
        for step in self where step.former != nil {
            guard let tunnel = step.wanted else { continue }
            for value in tunnel.definition.uniqueValues { wanted[value] = tunnel.id }
        }
        guard !wanted.isEmpty else { return [] }
        for step in self where step.former == nil {
            guard let tunnel = step.wanted else { continue }
            for value in tunnel.definition.uniqueValues { wanted[value] = tunnel.id }
        }
        var moving: Set<TunnelID> = []
        for step in self {
            guard let former = step.former, step.wanted != nil else { continue }
            let isInTheWay = former.definition.uniqueValues.contains { wanted[$0].map { $0 != former.id } ?? false }
            if isInTheWay { moving.insert(former.id) }
        }
        return moving
    }
}

extension SetChange.Item {
    fileprivate func event(at time: Timestamp, by author: String?) -> Event {
        switch (former, wanted) {
        case (nil, let wanted?): Event(at: time, kind: .created, tunnel: wanted, actor: author)
        case (let former?, nil): Event(at: time, kind: .deleted, tunnel: former, actor: author)
        case (_, let wanted?): Event(at: time, kind: .updated, tunnel: wanted, actor: author)
        case (nil, nil): Event(at: time, kind: .updated, subject: .host, actor: author)
        }
    }
}

extension TunnelPlan {
    /// Of a tunnel whose underlay isn't there yet.
    fileprivate static func creation(of tunnel: Tunnel) -> TunnelPlan {
        let parameters = LinkParameters(tunnel.definition, underlay: 0)
        return TunnelPlan(
            tunnel: tunnel.id, name: tunnel.name.text, ifindex: nil,
            operations: Tunnels.creation(of: tunnel.definition, parameters: parameters))
    }
}
