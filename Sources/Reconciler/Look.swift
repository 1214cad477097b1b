internal import Logging
internal import Synchronization
internal import TunnelStore
internal import Tunnels

/// What is to be done about a tunnel that a look found different from its definition.
private struct Finding {
    let id: TunnelID
    let plan: TunnelPlan
    /// What stays as it is, under the tunnel's policy.
    let kept: [Difference]
}

extension Reconciler {
    /// Reads the whole kernel, plans for every tunnel, and closes the differences as far as their policies have it. The
    /// same for a start, a change from outside, the slow tick and what was left to do.
    func look() {
        let began = timing.uptime()
        lookAndRepair()
        counters.noteLook(took: timing.uptime() - began, at: canReadKernel ? timing.now() : nil)
    }

    private func lookAndRepair() {
        armMonitor()
        isBehind = false
        hasWritten = false
        counters.looks.increment()
        var news = News(time: timing.now())
        var tunnels = managed.tunnels
        // Once more after a change: the kernel does more than it is asked (deleting an address takes its secondaries
        // along), and the next look would take that for somebody else's doing.
        for round in 0..<3 {
            guard var observed = readKernel(for: tunnels) else { break }
            news.isFirstRound = round == 0
            if round == 0 {
                news.isStart = !hasSeenKernel
                hasSeenKernel = true
                news.notes = takeNotes()
                if tidy(observed, tunnels, &news) {
                    guard let tidied = readKernel(for: tunnels) else { break }
                    observed = tidied
                }
            }
            var findings = managed.values.compactMap { finding(for: $0, in: observed, &news) }
            if round == 0, news.isDoubtful {
                news.first = observed
                guard let again = readKernel(for: tunnels) else { break }
                observed = again
                findings = managed.values.compactMap { finding(for: $0, in: observed, &news) }
            }
            guard !findings.isEmpty else { break }
            // Of a link that is gone the programs' counters may be there still.
            if findings.contains(where: { $0.plan.ifindex == nil && managed[$0.id]?.status.ifindex != nil }) {
                countBeforeEnd()
            }
            let results = plane.apply(findings.map(\.plan))
            noteLoadedModules()
            for (finding, result) in zip(findings, results) {
                conclude(finding, result, &news)
                news.touched.insert(finding.id)
            }
            guard findings.contains(where: { $0.plan.ifindex != nil }) else { break }
            if news.hasAdopted { tunnels = managed.tunnels }
        }
        record(news.events, renewed: news.renewed)
        strikeOutFinished()
        publishRevision()
        // What one tunnel gave up by adopting, another one may have taken.
        if plane.hasMoreToSee || news.hasAdopted { scheduleLook(after: limits.settling) }
        // Half the time: it was waited for once.
        if news.isUnsettled { scheduleLook(after: limits.settling / 2) }
    }

    /// The kernel may tell of a change just before it shows it, so what was told at the look before may count now.
    private func takeNotes() -> ChangeNotes {
        let (earlier, now) = (earlierNotes, timing.uptime())
        earlierNotes = (plane.takeNotes(), now)
        let isRecent = now - earlier.at < .seconds(1)
        return ChangeNotes((isRecent ? earlier.notes : []) + earlierNotes.notes)
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
    private func tidy(_ observed: ObservedState, _ tunnels: [Tunnel], _ news: inout News) -> Bool {
        let unwanted = prune(observed, keeping: managed.ids)
        let misplaced = evictions(from: observed, for: tunnels, on: plane.kind).filter { plan in
            // Twice named by both.
            !unwanted.contains { $0.ifindex == plan.ifindex } && mayEvict(plan, from: observed, &news)
        }
        if !misplaced.isEmpty { countBeforeEnd() }
        delete(unwanted, because: "no tunnel has it")
        delete(misplaced, because: "it stands in another tunnel's place, or is another data plane's")
        return !misplaced.isEmpty
    }

    /// Whether a link that stands in another tunnel's place may be taken away to be made anew; notes how it got there.
    private func mayEvict(_ plan: TunnelPlan, from observed: ObservedState, _ news: inout News) -> Bool {
        guard var entry = managed[plan.tunnel], let link = observed.link(of: plan.tunnel) else { return true }
        // One of another data plane goes, whatever somebody did to it.
        guard link.kind == plane.kind.linkKind else { return true }
        let differences = (try? Tunnels.plan(for: entry.tunnel, in: observed))?.differences ?? []
        let foreign = differences.filter { !entry.leavesOpen($0) }
        note(foreign, on: &entry, &news)
        guard entry.tunnel.definition.driftPolicy == .enforce || !entry.isEstablished else {
            managed[plan.tunnel] = entry
            return false
        }
        let kept = kept(of: foreign, &entry, on: link, &news)
        keep(entry)
        // From now on its absence is our doing.
        if kept.isEmpty { news.touched.insert(plan.tunnel) }
        return kept.isEmpty
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

    /// What is to do for a tunnel; nil where it is as it should be, or stays as it is.
    private func finding(for entry: Managed, in observed: ObservedState, _ news: inout News) -> Finding? {
        var entry = entry
        let id = entry.tunnel.id
        let link = observed.link(of: id)
        // After a boot no tunnel has one.
        if news.isStart, link == nil { entry.isEstablished = false }
        var found: TunnelPlan
        do throws(TunnelProblem) {
            found = try plan(for: entry.tunnel, in: observed)
            let foreign = found.differences.filter { !entry.leavesOpen($0) }
            if !news.touched.contains(id) {
                guard isSettled(entry, found.differences, foreign, &news) else { return nil }
                if mayNote(&entry) { note(foreign, on: &entry, &news) }
                if adoptsNow(entry, foreign), let link, adopt(foreign, &entry, on: link, in: observed, &news) {
                    news.hasAdopted = true
                    found = try plan(for: entry.tunnel, in: observed)
                }
            }
        } catch {
            if link == nil, !news.touched.contains(id) { note([.linkMissing], on: &entry, &news) }
            if entry.isBackingOff { keep(entry) } else { fail(entry, error, &news) }
            return nil
        }
        if found.operations.isEmpty {
            if let link { match(AppliedLink(link), entry, &news) }
            return nil
        }
        let foreign = found.differences.filter { !entry.leavesOpen($0) }
        if entry.isBackingOff {
            keep(entry)
            return nil
        }
        let kept = kept(of: foreign, &entry, on: link, &news)
        let part =
            kept.isEmpty ? found : found.closing(found.differences.filter { !kept.contains($0) }, on: link)
        if !kept.isEmpty { entry.leave(link) }
        if part.operations.isEmpty {
            keep(entry)
            return nil
        }
        // What becomes of it is published when it is done.
        managed[id] = entry
        return Finding(id: id, plan: part, kept: kept)
    }

    /// Whether new differences were there at two readings. The kernel isn't read in one moment: of a link that is being
    /// deleted the addresses may be gone already, and what is so for a moment mustn't be repaired, told or adopted.
    private func isSettled(
        _ entry: Managed, _ differences: [Difference], _ foreign: [Difference], _ news: inout News
    ) -> Bool {
        guard !news.isStart, entry.isEstablished, entry.hasNews(in: foreign) else { return true }
        guard let first = news.first, news.isFirstRound else {
            news.isDoubtful = true
            // What came while others were repaired is the next look's.
            news.isUnsettled = news.isUnsettled || !news.isFirstRound
            return false
        }
        let earlier = (try? plan(for: entry.tunnel, in: first))?.differences
        if earlier == differences { return true }
        news.isUnsettled = true
        return false
    }

    /// While it is left alone the ledger doesn't follow all that becomes of it.
    private func mayNote(_ entry: inout Managed) -> Bool {
        entry.suspension == nil || entry.openDrifts.isEmpty && entry.pace.admit(at: timing.uptime())
    }

    private func adoptsNow(_ entry: Managed, _ differences: [Difference]) -> Bool {
        entry.tunnel.definition.driftPolicy == .adopt && entry.isEstablished && entry.suspension == nil
            && !entry.isBackingOff && !differences.isEmpty
    }

    /// The kernel is as wanted without our doing, or the definition took over how it is.
    private func match(_ link: AppliedLink, _ entry: Managed, _ news: inout News) {
        // Of those that were open before this look.
        if managed[entry.tunnel.id]?.openDrifts.isEmpty == false {
            news.events.append(event(.repaired, of: entry.tunnel, at: news.time))
        }
        accept(link, for: entry, isNew: false, at: news.time, closing: .withdrawn)
    }

    private func conclude(
        _ finding: Finding, _ result: Result<AppliedLink?, TunnelProblem>, _ news: inout News
    ) {
        guard var entry = managed[finding.id] else { return }
        switch result {
        case .success(let link):
            let isNew = finding.plan.ifindex == nil
            if isNew { news.renewed.append(finding.id) }
            guard let link else { return settle(entry) }
            guard finding.kept.isEmpty else {
                let kept = Set(finding.kept.map(\.place))
                closeDrifts(of: &entry, at: news.time) { kept.contains($0.place) ? nil : .repaired }
                entry.status.ifindex = link.ifindex
                entry.status.mtu = link.mtu
                return settle(entry)
            }
            if !entry.openDrifts.isEmpty { news.events.append(event(.repaired, of: entry.tunnel, at: news.time)) }
            accept(link, for: entry, isNew: isNew, at: news.time)
        case .failure(let problem):
            fail(entry, problem, &news)
        }
    }
}
