internal import Logging
internal import TunnelStore
internal import Tunnels

extension Reconciler {
    /// Takes the change back, in the kernel and the database at once. Where the kernel refuses, in the database alone: it
    /// is the truth, and the kernel is asked again as for any tunnel that failed.
    ///
    /// - Parameter author: nil for the deadline.
    func revert(
        _ pending: PendingCheckpoint, by author: String?, _ receipt: Receipt<Checkpoint>? = nil
    ) throws(CheckpointRefusal) -> Checkpoint {
        if isBehind { look() }
        batchTime = timing.now()
        let steps = try stepsBack(of: pending.checkpoint)
        let checkpoint = pending.checkpoint.ended(.reverted, at: batchTime, by: author)
        if steps.isEmpty || pending.hasFailed { return try revertStoredFirst(checkpoint, steps, receipt) }
        for step in steps { expect(step) }
        do throws(WriteRefusal) {
            try carryOut(steps.map(\.item), by: author) { (transaction) throws(StoreError) in
                try transaction.conclude(checkpoint)
                try keep(checkpoint, receipt, in: &transaction)
            }
            conclude(checkpoint)
            return checkpoint
        } catch {
            for step in steps where step.item.former == nil { managed[step.id] = nil }
            if case .storage = error {
                self.pending?.hasFailed = true
                throw .refused(error)
            }
            return try revertStoredFirst(checkpoint, steps, receipt)
        }
    }

    private func revertStoredFirst(
        _ checkpoint: Checkpoint, _ steps: [StepBack], _ receipt: Receipt<Checkpoint>?
    ) throws(CheckpointRefusal) -> Checkpoint {
        try revertStored(checkpoint, steps)
        look()
        let ended = noteFailures(of: checkpoint, steps)
        keepAfterwards(ended, receipt)
        return ended
    }
}

/// What takes one tunnel back.
struct StepBack {
    let id: TunnelID
    let item: SetChange.Item
    /// Of the former tunnel's link.
    let epoch: Int64

    fileprivate var name: String { (item.wanted ?? item.former)?.name.text ?? "" }
}

extension Reconciler {
    /// From the tunnels there are to those there were. One that was deleted comes back with its id, and with a revision
    /// that nobody has seen.
    func stepsBack(of checkpoint: Checkpoint) throws(CheckpointRefusal) -> [StepBack] {
        let former: [FormerTunnel]
        do throws(StoreError) {
            former = try store.formerTunnels(of: checkpoint.id)
        } catch {
            throw .refused(.storage(error))
        }
        let steps = former.compactMap { former -> StepBack? in
            let present = managed[former.id]?.tunnel
            var wanted = former.tunnel
            if let tunnel = wanted {
                if tunnel.definition == present?.definition { return nil }
                wanted?.revision = (present ?? tunnel).revision + 1
                wanted?.updatedAt = batchTime
            }
            if present == nil, wanted == nil { return nil }
            return StepBack(id: former.id, item: SetChange.Item(former: present, wanted: wanted), epoch: former.epoch)
        }
        return steps.sorted { $0.name < $1.name }
    }

    /// A tunnel that comes back gets another link, and so another epoch than the one that it had.
    private func expect(_ step: StepBack) {
        guard step.item.former == nil, let wanted = step.item.wanted else { return }
        var entry = Managed(tunnel: wanted, status: TunnelStatus(state: .pending, dataPlane: plane.kind))
        entry.status.epoch = step.epoch
        entry.hasHadLink = true
        managed[step.id] = entry
    }

    /// Stores the former definitions without asking the kernel; a look is to follow.
    func revertStored(_ checkpoint: Checkpoint, _ steps: [StepBack]) throws(CheckpointRefusal) {
        do throws(WriteError<WriteRefusal>) {
            try store.write { (transaction) throws(WriteRefusal) in
                try record(steps.map(\.item), by: checkpoint.end?.actor, in: &transaction)
                do throws(StoreError) { try transaction.conclude(checkpoint) } catch { throw .storage(error) }
            }
        } catch {
            throw CheckpointRefusal(error)
        }
        for step in steps {
            expect(step)
            guard let wanted = step.item.wanted, var entry = managed[step.id] else {
                remove(step.id)
                continue
            }
            entry.tunnel = wanted
            // So that the look doesn't take our own change for somebody else's.
            entry.beginAnew()
            entry.status.state = .pending
            entry.status.drift = []
            entry.isBackingOff = false
            settle(entry)
        }
        pending?.endProbe()
        pending = nil
        holdsAdoption = false
    }

    /// Tells which tunnels the look couldn't bring back.
    @discardableResult
    func noteFailures(of checkpoint: Checkpoint, _ steps: [StepBack]) -> Checkpoint {
        let failures = steps.compactMap { step -> Checkpoint.Failure? in
            guard let entry = managed[step.id], entry.status.state == .failed, let problem = entry.status.problem else {
                return nil
            }
            return Checkpoint.Failure(tunnel: entry.tunnel.name, problem: problem)
        }
        var checkpoint = checkpoint
        checkpoint.end?.failures = Array(failures.prefix(Self.failuresKept))
        if !failures.isEmpty {
            do throws(WriteError<StoreError>) {
                let kept = checkpoint
                try store.write { (transaction) throws(StoreError) in
                    try transaction.note(kept.end?.failures ?? [], of: kept.id)
                }
            } catch {
                logger.error("failures of a revert not stored", metadata: ["error": "\(error)"])
            }
        }
        conclude(checkpoint)
        return checkpoint
    }

    private static let failuresKept = 100
}
