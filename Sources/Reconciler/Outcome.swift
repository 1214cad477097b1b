internal import Logging
internal import TunnelStore
internal import Tunnels

/// What a look has to write down.
struct News {
    /// When the look began: the time of all that it finds and does.
    let time: Timestamp
    var events: [Event] = []
    /// Tunnels whose link was made anew.
    var renewed: [TunnelID] = []
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
        guard !news.isEmpty || !epochs.isEmpty else { return }
        do throws(WriteError<StoreError>) {
            try store.write { (transaction) throws(StoreError) in
                for event in news { try transaction.record(event) }
                for (id, epoch) in epochs { try transaction.setEpoch(epoch, of: id) }
            }
        } catch {
            logger.error("events not stored", metadata: ["error": "\(error)"])
        }
    }

    func event(_ kind: Event.Kind, of tunnel: Tunnel, at time: Timestamp) -> Event {
        Event(at: time, kind: kind, tunnel: tunnel)
    }

    /// Notes in the status what somebody else changed. Bringing up what was never up isn't drift, nor is following
    /// the underlay's MTU.
    ///
    /// - Returns: whether there was any.
    func note(_ differences: [Difference], on entry: inout Managed, at time: Timestamp) -> Bool {
        guard entry.status.state == .up || entry.status.state == .down else { return false }
        let drift = differences.filter { !entry.tunnel.definition.leavesOpen($0) }.map { Drift($0, foundAt: time) }
        guard !drift.isEmpty else { return false }
        entry.status.state = .drifted
        entry.status.drift = Array((drift + entry.status.drift).prefix(Self.driftKept))
        for drift in drift {
            let metadata: Logger.Metadata = [
                "tunnel": "\(entry.tunnel.name)", "field": "\(drift.field)", "desired": "\(drift.desired)",
                "observed": "\(drift.observed)",
            ]
            logger.warning("drift", metadata: metadata)
        }
        return true
    }

    private static let driftKept = 16

    /// The kernel matches.
    ///
    /// - Parameters:
    ///   - isNew: whether the link was made just now.
    ///   - time: of the look or the batch.
    func accept(_ link: AppliedLink, for entry: Managed, isNew: Bool, at time: Timestamp) {
        if entry.status.isDriftOpen {
            counters.repairs.increment()
            logger.notice("repaired", metadata: ["tunnel": "\(entry.tunnel.name)"])
        }
        let accepted = entry.accepting(link, isNew: isNew, at: time)
        if accepted.status != entry.status { settle(accepted) }
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
        var status = status
        if isNew, hasHadLink { status.epoch += 1 }
        entry.hasHadLink = true
        for position in status.drift.indices where status.drift[position].repairedAt == nil {
            status.drift[position].repairedAt = time
        }
        status.state = link.isUp ? .up : .down
        status.ifindex = link.ifindex
        status.mtu = link.mtu
        status.problem = nil
        guard status != entry.status else { return entry }
        status.reconciledAt = time
        entry.status = status
        entry.backoff = Backoff()
        entry.isBackingOff = false
        return entry
    }
}

extension TunnelDefinition {
    /// Whether the definition leaves to the underlay what differs.
    fileprivate func leavesOpen(_ difference: Difference) -> Bool {
        if case .mtu = difference { mtu == nil } else { false }
    }
}

extension TunnelStatus {
    /// Whether there is a drift that isn't repaired.
    var isDriftOpen: Bool { drift.contains { $0.repairedAt == nil } }
}
