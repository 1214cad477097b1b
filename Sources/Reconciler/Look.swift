internal import Logging
internal import TunnelStore
internal import Tunnels

/// A tunnel that a look found different from its definition.
private struct Finding {
    let id: TunnelID
    let plan: TunnelPlan
}

/// What a look has to write down.
private struct News {
    var events: [Event] = []
    /// Tunnels whose link was made anew.
    var renewed: [TunnelID] = []
}

extension Reconciler {
    /// Reads the whole kernel, plans for every tunnel, and closes the differences. The same for a start, a change
    /// from outside, the slow tick and what was left to do.
    func look() {
        armMonitor()
        isBehind = false
        hasWritten = false
        counters.looks.increment()
        var news = News()
        // Once more after a change: the kernel does more than it is asked (deleting an address takes its secondaries
        // along), and the next look would take that for somebody else's doing.
        for round in 0..<3 {
            guard var observed = readKernel() else { break }
            if round == 0, tidy(observed) {
                guard let tidied = readKernel() else { break }
                observed = tidied
            }
            let findings = managed.values.compactMap { finding(for: $0, in: observed, &news) }
            guard !findings.isEmpty else { break }
            let results = plane.apply(findings.map(\.plan))
            noteLoadedModules()
            for (finding, result) in zip(findings, results) {
                conclude(finding, result, isOurDoing: round > 0, &news)
            }
            guard findings.contains(where: { $0.plan.ifindex != nil }) else { break }
        }
        record(news.events, renewed: news.renewed)
    }

    /// - Returns: nil where it can't be read now.
    private func readKernel() -> ObservedState? {
        do throws(TunnelProblem) {
            return try plane.observe(for: managed.values.map(\.tunnel))
        } catch {
            logger.error("kernel not read", metadata: ["problem": "\(error.detail)"])
            scheduleLook(after: .seconds(1))
            return nil
        }
    }

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

    /// Deletes links of ours that no tunnel has, and those that stand in another tunnel's place.
    ///
    /// - Returns: whether tunnels lost their links by it, so that the kernel is to be read again.
    private func tidy(_ observed: ObservedState) -> Bool {
        let unwanted = prune(observed, keeping: Set(managed.keys))
        let misplaced = evictions(from: observed, for: managed.values.map(\.tunnel))
        delete(unwanted, because: "no tunnel has it")
        delete(misplaced, because: "it stands in another tunnel's place")
        return !misplaced.isEmpty
    }

    private func delete(_ plans: [TunnelPlan], because reason: String) {
        for (plan, result) in zip(plans, plans.isEmpty ? [] : plane.apply(plans)) {
            switch result {
            case .success:
                counters.pruned.increment()
                logger.notice("link removed", metadata: ["link": "\(plan.name)", "reason": "\(reason)"])
            case .failure(let problem):
                counters.failures.increment()
                let metadata: Logger.Metadata = ["link": "\(plan.name)", "problem": "\(problem.detail)"]
                logger.error("link not removed", metadata: metadata)
            }
        }
    }

    /// What is to do for a tunnel; nil where it is as it should be, or nothing can be done now.
    private func finding(for entry: Managed, in observed: ObservedState, _ news: inout News) -> Finding? {
        do throws(TunnelProblem) {
            let plan = try plan(for: entry.tunnel, in: observed)
            if plan.operations.isEmpty {
                if let link = observed.link(of: entry.tunnel.id) {
                    if entry.status.isDriftOpen { news.events.append(event(.repaired, of: entry.tunnel)) }
                    let applied = AppliedLink(ifindex: link.ifindex, mtu: link.mtu, isUp: link.isUp)
                    accept(applied, for: entry, isNew: false)
                }
                return nil
            }
            if entry.isBackingOff { return nil }
            return Finding(id: entry.tunnel.id, plan: plan)
        } catch {
            if !entry.isBackingOff { fail(entry, error, &news) }
            return nil
        }
    }

    /// - Parameter isOurDoing: whether the differences come from what was carried out just before.
    private func conclude(
        _ finding: Finding, _ result: Result<AppliedLink?, TunnelProblem>, isOurDoing: Bool, _ news: inout News
    ) {
        guard var entry = managed[finding.id] else { return }
        if !isOurDoing, note(finding.plan.differences, on: &entry) {
            news.events.append(event(.drifted, of: entry.tunnel))
        }
        switch result {
        case .success(let link):
            let isNew = finding.plan.ifindex == nil
            if isNew { news.renewed.append(finding.id) }
            guard let link else { return settle(entry) }
            if entry.status.isDriftOpen { news.events.append(event(.repaired, of: entry.tunnel)) }
            accept(link, for: entry, isNew: isNew)
        case .failure(let problem):
            fail(entry, problem, &news)
        }
    }

    private func event(_ kind: Event.Kind, of tunnel: Tunnel) -> Event {
        Event(
            at: timing.now(), kind: kind, tunnelID: tunnel.id, tunnelName: tunnel.name,
            revision: tunnel.revision)
    }

    /// Notes in the status what somebody else changed. Bringing up what was never up isn't drift, nor is following
    /// the underlay's MTU.
    ///
    /// - Returns: whether there was any.
    private func note(_ differences: [Difference], on entry: inout Managed) -> Bool {
        guard entry.status.state == .up || entry.status.state == .down else { return false }
        let now = timing.now()
        let drift = differences.filter { !entry.tunnel.definition.leavesOpen($0) }.map {
            Drift($0, foundAt: now)
        }
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
    /// - Parameter isNew: whether the link was made just now.
    func accept(_ link: AppliedLink, for entry: Managed, isNew: Bool) {
        var entry = entry
        var status = entry.status
        if isNew, entry.hasHadLink { status.epoch += 1 }
        entry.hasHadLink = true
        if status.isDriftOpen {
            counters.repairs.increment()
            let now = timing.now()
            for position in status.drift.indices where status.drift[position].repairedAt == nil {
                status.drift[position].repairedAt = now
            }
            logger.notice("repaired", metadata: ["tunnel": "\(entry.tunnel.name)"])
        }
        status.state = link.isUp ? .up : .down
        status.ifindex = link.ifindex
        status.mtu = link.mtu
        status.problem = nil
        guard status != entry.status else { return }
        status.reconciledAt = timing.now()
        entry.status = status
        entry.backoff = Backoff()
        entry.isBackingOff = false
        settle(entry)
    }

    /// The kernel refused: said in the status, and tried again after a while.
    private func fail(_ entry: Managed, _ problem: TunnelProblem, _ news: inout News) {
        var entry = entry
        if entry.status.problem != problem {
            news.events.append(event(.failed, of: entry.tunnel))
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
            self.writer.async {
                self.assumeIsolated { reconciler in
                    reconciler.managed[id]?.isBackingOff = false
                    reconciler.scheduleLook(after: .zero)
                }
            }
        }
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
    fileprivate var isDriftOpen: Bool { drift.contains { $0.repairedAt == nil } }
}
