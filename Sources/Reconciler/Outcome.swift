internal import Logging
internal import TunnelStore
internal import Tunnels

/// What a look has to write down.
struct News {
    /// When the look began: the time of all that it finds and does.
    let time: Timestamp
    var isFirstRound = true
    /// Whether the kernel was never seen before.
    var isStart = false
    /// Who changed what since the look before.
    var notes = ChangeNotes()
    var events: [Event] = []
    /// Tunnels whose link was made anew.
    var renewed: [TunnelID] = []
    /// Tunnels whose links this look changed: how they differ now is our own doing.
    var touched: Set<TunnelID> = []
    /// Whether a definition was changed.
    var hasAdopted = false
    /// Whether something is new, so that the kernel is to be read once more.
    var isDoubtful = false
    /// What was read before that.
    var first: ObservedState?
    /// Whether the two differ.
    var isUnsettled = false

    init(time: Timestamp) {
        self.time = time
    }
}

/// What became of a tunnel in the kernel: into its status, the log and the events.
extension Reconciler {
    /// Writes down what happened, in one transaction. Its failure is no reason not to repair.
    ///
    /// - Parameter renewed: tunnels whose link was made anew.
    func record(_ news: [Event], renewed: [TunnelID]) {
        let epochs = renewed.compactMap { id in managed[id].map { (id, $0.status.epoch) } }.filter {
            $0.1 > 1
        }
        guard !news.isEmpty || !epochs.isEmpty || !unwritten.isEmpty else { return }
        let rows = unwritten
        unwritten = UnwrittenDrift()
        do throws(WriteError<StoreError>) {
            let ids = try store.write { (transaction) throws(StoreError) in
                for event in news { try transaction.record(event) }
                for (id, epoch) in epochs { try transaction.setEpoch(epoch, of: id) }
                return try write(rows, in: &transaction)
            }
            number(ids)
        } catch {
            unwritten.putBack(rows)
            logger.error("events not stored", metadata: ["error": "\(error)"])
        }
    }

    func event(_ kind: Event.Kind, of tunnel: Tunnel, at time: Timestamp) -> Event {
        Event(at: time, kind: kind, tunnel: tunnel)
    }

    /// The kernel matches.
    ///
    /// - Parameters:
    ///   - isNew: whether the link was made just now.
    ///   - time: of the look or the batch.
    ///   - outcome: how the open drift ended.
    func accept(
        _ link: AppliedLink, for entry: Managed, isNew: Bool, at time: Timestamp,
        closing outcome: DriftRecord.Outcome = .repaired
    ) {
        var entry = entry
        if !entry.openDrifts.isEmpty {
            if outcome == .repaired { counters.repairs.increment() }
            logger.notice("\(outcome)", metadata: ["tunnel": "\(entry.tunnel.name)"])
            closeDrifts(of: &entry, at: time) { _ in outcome }
        }
        var accepted = entry.accepting(link, isNew: isNew, at: time)
        if let known = managed[entry.tunnel.id], known.isShown(as: accepted) { return }
        accepted.backoff = Backoff()
        accepted.isBackingOff = false
        settle(accepted)
    }

    /// Keeps what became of a tunnel, and publishes it if its status is another one, or its definition.
    func keep(_ entry: Managed) {
        let shown = directory.view(.id(entry.tunnel.id))
        if shown?.status == entry.status, shown?.tunnel.revision == entry.tunnel.revision {
            managed[entry.tunnel.id] = entry
        } else {
            settle(entry)
        }
    }

    /// The kernel refused: said in the status, and tried again after a while.
    func fail(_ entry: Managed, _ problem: TunnelProblem, _ news: inout News) {
        var entry = entry
        if entry.status.problem != problem {
            news.events.append(event(.failed, of: entry.tunnel, at: news.time))
            let metadata: Logger.Metadata = [
                "tunnel": "\(entry.tunnel.name)", "problem": "\(problem.detail)",
            ]
            logger.error("tunnel failed", metadata: metadata)
        }
        counters.failures.increment()
        entry.status.state = .failed
        entry.status.problem = problem
        entry.isBackingOff = true
        let delay = entry.backoff.next()
        settle(entry)
        let id = entry.tunnel.id
        timing.after(delay) {
            self.onWriter { reconciler in
                reconciler.managed[id]?.isBackingOff = false
                reconciler.scheduleLook(after: .zero)
            }
        }
    }
}

extension Managed {
    /// With what the kernel has now that it matches.
    func accepting(_ link: AppliedLink, isNew: Bool, at time: Timestamp) -> Managed {
        var entry = self
        if isNew, upkeep.hasHadLink { entry.status.epoch += 1 }
        for position in status.drift.indices where status.drift[position].repairedAt == nil {
            entry.status.drift[position].repairedAt = time
        }
        entry.status.state = link.isUp ? .up : .down
        entry.status.ifindex = link.ifindex
        entry.status.mtu = link.mtu
        entry.status.problem = nil
        entry.status.reconciledAt = time
        entry.hasHadLink = true
        entry.isEstablished = true
        entry.acceptedMTU = link.mtu
        entry.refusal = nil
        return entry
    }

    /// Whether it is known already that the kernel matches, as `other` says; only the time is another one.
    fileprivate func isShown(as other: Managed) -> Bool {
        var status = other.status
        status.reconciledAt = self.status.reconciledAt
        return self.status == status && upkeep.isEstablished && upkeep.acceptedMTU == other.upkeep.acceptedMTU
            && upkeep.openDrifts.isEmpty && tunnel.revision == other.tunnel.revision
    }
}
