internal import Logging
internal import TunnelStore
internal import Tunnels

/// One write on its way through a batch.
struct BatchItem {
    let pending: PendingWrite
    /// What the database took; nil until then, and where nothing is to be done.
    var step: WriteStep?
    /// The tunnel as it is already, where the write changes nothing.
    var unchanged: TunnelView?
    var refusal: WriteRefusal?
    /// What the kernel was asked and answered; nil until then.
    var asked: (step: WriteStep, result: Result<AppliedLink?, TunnelProblem>)?
}

/// What a write means: from one definition to another.
struct WriteStep {
    /// nil for a create.
    let former: Tunnel?
    /// nil for a delete.
    let wanted: Tunnel?
    let id: TunnelID
    let name: String
    /// The former tunnel's link.
    let ifindex: Int32?
}

/// The kernel refused part of a batch, so the transaction is taken back and tried again without that part.
struct KernelRefusal: Error {}

extension Reconciler {
    /// How many of the writes, from the front, touch different tunnels: these can share a transaction.
    func independentCount(of waiting: [PendingWrite]) -> Int {
        var touched: Set<TunnelKey> = []
        for (position, pending) in waiting.prefix(limits.writesInBatch).enumerated() {
            let key: TunnelKey
            switch pending.write.change {
            case .create(let definition), .put(let definition): key = .name(definition.name)
            // One may take another tunnel's name, the others have a way of their own; so each goes alone.
            case .modify, .adopt, .unmanage: return max(position, 1)
            case .delete(let deleted): key = deleted
            }
            let name = directory.view(key).map { TunnelKey.name($0.tunnel.name) }
            if !touched.insert(name ?? key).inserted { return position }
        }
        return min(waiting.count, limits.writesInBatch)
    }

    /// Stores the writes in one transaction, brings them to the kernel in one batch, commits, and answers.
    func carryOut(_ batch: [PendingWrite]) {
        let began = timing.uptime()
        // A name or endpoints that an asynchronous write gave up may still be in the kernel.
        if isBehind, batch.contains(where: { !$0.write.isAsynchronous }) { look() }
        batchTime = timing.now()
        latestID = nil
        if let pending = batch.first, pending.write.isHandover { return handOver(pending) }
        do throws(WriteRefusal) {
            try noteUnfinished(batch.compactMap(tunnel))
        } catch {
            counters.refusals.increment(by: batch.count)
            for pending in batch { pending.completion(.failure(error)) }
            return
        }
        var items = batch.map { BatchItem(pending: $0) }
        // Once more without what the kernel refused; what it took isn't sent again.
        while storeAndAsk(&items) == .again {}
        undoRefused(items)
        for position in items.indices {
            items[position].unchanged = items[position].unchanged.map(bringBack)
        }
        noteLoadedModules()
        // All are published before the first is answered: who is told may ask at once.
        let results = items.map(publish)
        publishRevision()
        counters.noteBatch(took: timing.uptime() - began)
        for (item, result) in zip(items, results) { item.pending.completion(result) }
    }

    /// The tunnel that a write changes; nil for one that is still to be made.
    private func tunnel(of pending: PendingWrite) -> TunnelID? {
        switch pending.write.change {
        case .create, .adopt: nil
        case .put(let definition): directory.view(.name(definition.name))?.tunnel.id
        case .modify(let key, _), .delete(let key), .unmanage(let key): directory.view(key)?.tunnel.id
        }
    }

    private enum Attempt {
        case done, again
    }

    private func storeAndAsk(_ items: inout [BatchItem]) -> Attempt {
        for position in items.indices {
            items[position].step = nil
            // What the database said of it may rest on what was taken back since.
            if items[position].asked == nil { items[position].refusal = nil }
        }
        do throws(WriteError<KernelRefusal>) {
            try store.write { (transaction) throws(KernelRefusal) in
                var room = limits.tunnels - managed.count
                for position in items.indices {
                    take(&items[position], room: room, in: &transaction)
                    if let step = items[position].step, step.former == nil { room -= 1 }
                }
                try askKernel(&items)
                keepAnswers(to: items, in: &transaction)
            }
            return .done
        } catch {
            switch error {
            case .body: return .again
            case .store(let error):
                refuseAll(&items, .storage(error))
                return .done
            }
        }
    }

    /// Lets the database have its say on one write.
    ///
    /// - Parameter room: how many more tunnels there may be.
    private func take(_ item: inout BatchItem, room: Int, in transaction: inout Transaction) {
        guard item.refusal == nil, item.unchanged == nil else { return }
        do throws(WriteRefusal) {
            // Decided once: the kernel has the id that it was given.
            let decision =
                if let asked = item.asked { WriteDecision.step(asked.step) } else {
                    try decide(item.pending.write, room: room)
                }
            switch decision {
            case .step(let step):
                try record(step, of: item.pending.write, in: &transaction)
                item.step = step
            case .unchanged(let view):
                item.unchanged = view
            }
        } catch {
            item.refusal = error
        }
    }

    private func refuseAll(_ items: inout [BatchItem], _ refusal: WriteRefusal) {
        for position in items.indices where items[position].refusal == nil {
            items[position].refusal = refusal
        }
    }

    /// Asks the kernel for all steps at once.
    private func askKernel(_ items: inout [BatchItem]) throws(KernelRefusal) {
        let positions = items.indices.filter {
            guard let step = items[$0].step, items[$0].asked == nil else { return false }
            return !items[$0].pending.write.isAsynchronous || isEndOfAdopted(step)
        }
        let steps = positions.compactMap { items[$0].step }
        let targets = steps.map { Target(id: $0.id, name: $0.name, wanted: $0.wanted, ifindex: $0.ifindex) }
        guard !targets.isEmpty else { return }
        var isRefused = false
        for ((position, step), result) in zip(zip(positions, steps), converge(targets)) {
            items[position].asked = (step, result)
            if case .failure(let problem) = result {
                items[position].refusal = .host(problem)
                isRefused = true
            }
        }
        if isRefused { throw KernelRefusal() }
    }

    /// Gives the kernel back what it had before the writes that were refused after it was asked.
    private func undoRefused(_ items: [BatchItem]) {
        let targets = items.compactMap { item -> Target? in
            guard item.refusal != nil, let (step, result) = item.asked else { return nil }
            // A create that the kernel refused left no link; any other refusal left the former one.
            let ifindex =
                switch result {
                case .success(let link): link?.ifindex
                case .failure: step.ifindex
                }
            return Target(id: step.id, name: step.name, wanted: step.former, ifindex: ifindex)
        }
        guard !targets.isEmpty else { return }
        for (target, result) in zip(targets, converge(targets)) {
            switch result {
            case .success(let link):
                if let link, let entry = managed[target.id] {
                    accept(link, for: entry, isNew: link.ifindex != entry.status.ifindex, at: batchTime)
                }
            case .failure(let problem):
                // The database has the former definition, so the next look tries again.
                let metadata: Logger.Metadata = ["tunnel": "\(target.name)", "problem": "\(problem.detail)"]
                logger.error("change not undone yet", metadata: metadata)
                scheduleLook(after: .zero)
            }
        }
    }
}
