internal import Logging
internal import Synchronization
internal import TunnelStore
internal import Tunnels

/// A tunnel that a look found different from its definition.
private struct Finding {
    let id: TunnelID
    let plan: TunnelPlan
}

extension Reconciler {
    /// Reads the whole kernel, plans for every tunnel, and closes the differences. The same for a start, a change
    /// from outside, the slow tick and what was left to do.
    func look() {
        armMonitor()
        isBehind = false
        hasWritten = false
        counters.looks.increment()
        var news = News(time: timing.now())
        let tunnels = managed.tunnels
        // Once more after a change: the kernel does more than it is asked (deleting an address takes its secondaries
        // along), and the next look would take that for somebody else's doing.
        for round in 0..<3 {
            guard var observed = readKernel(for: tunnels) else { break }
            if round == 0, tidy(observed, tunnels) {
                guard let tidied = readKernel(for: tunnels) else { break }
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
        publishRevision()
        if plane.hasMoreToSee { scheduleLook(after: limits.settling) }
    }

    /// - Returns: nil where it can't be read now.
    private func readKernel(for tunnels: [Tunnel]) -> ObservedState? {
        do throws(TunnelProblem) {
            let observed = try plane.observe(for: tunnels)
            readsKernel.store(true, ordering: .relaxed)
            return observed
        } catch {
            readsKernel.store(false, ordering: .relaxed)
            logger.error("kernel not read", metadata: ["problem": "\(error.detail)"])
            scheduleLook(after: .seconds(1))
            return nil
        }
    }

    /// Deletes links of ours that no tunnel has, and those that stand in another tunnel's place or are another data
    /// plane's.
    ///
    /// - Returns: whether tunnels lost their links by it, so that the kernel is to be read again.
    private func tidy(_ observed: ObservedState, _ tunnels: [Tunnel]) -> Bool {
        let unwanted = prune(observed, keeping: managed.ids)
        let misplaced = evictions(from: observed, for: tunnels, on: plane.kind)
        delete(unwanted, because: "no tunnel has it")
        delete(misplaced, because: "it stands in another tunnel's place, or is another data plane's")
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
                    if entry.status.isDriftOpen {
                        news.events.append(event(.repaired, of: entry.tunnel, at: news.time))
                    }
                    accept(AppliedLink(link), for: entry, isNew: false, at: news.time)
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
        if !isOurDoing, note(finding.plan.differences, on: &entry, at: news.time) {
            news.events.append(event(.drifted, of: entry.tunnel, at: news.time))
        }
        switch result {
        case .success(let link):
            let isNew = finding.plan.ifindex == nil
            if isNew { news.renewed.append(finding.id) }
            guard let link else { return settle(entry) }
            if entry.status.isDriftOpen { news.events.append(event(.repaired, of: entry.tunnel, at: news.time)) }
            accept(link, for: entry, isNew: isNew, at: news.time)
        case .failure(let problem):
            fail(entry, problem, &news)
        }
    }
}
