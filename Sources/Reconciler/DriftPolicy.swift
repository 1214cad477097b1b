internal import Logging
internal import TunnelStore
internal import Tunnels

/// The wait of a tunnel that somebody changes as often as it is repaired.
struct Suspension: Equatable {
    /// Which wait of the daemon's it is.
    let number: Int
    let problem: TunnelProblem
}

/// What is done about drift, by the tunnel's policy.
extension Reconciler {
    /// The differences that are left as they are now. Decides about each repair, so it is asked once for each.
    ///
    /// - Parameters:
    ///   - differences: all that others made.
    ///   - link: the tunnel's, as it is; nil where there is none.
    func kept(
        of differences: [Difference], _ entry: inout Managed, on link: ObservedLink?, _ news: inout News
    ) -> [Difference] {
        // What was never brought to the kernel isn't anybody's change.
        guard entry.isEstablished, !differences.isEmpty else { return [] }
        if let suspension = entry.suspension {
            entry.status.problem = suspension.problem
            return differences
        }
        if news.touched.contains(entry.tunnel.id) {
            // What was left before; all else came about by what was carried out just now.
            let open = Set(entry.openDrifts.map(\.place))
            let isEnforced = entry.tunnel.definition.driftPolicy == .enforce
            return isEnforced ? [] : differences.filter { open.contains($0.place) && !$0.isOurs(on: link) }
        }
        let kept =
            switch entry.tunnel.definition.driftPolicy {
            case .enforce: [Difference]()
            case .alert: differences.filter { !$0.isOurs(on: link) }
            case .adopt: entry.refusal.map { refusal in differences.filter { refusal.covers($0) } } ?? []
            }
        if kept.count < differences.count, !mayRepair(&entry, &news) { return differences }
        if !kept.isEmpty { entry.status.problem = entry.refusal?.problem }
        return kept
    }

    /// Whether a repair is within the tunnel's pace; if not, it is left alone for a while from now on.
    private func mayRepair(_ entry: inout Managed, _ news: inout News) -> Bool {
        // What failed has a pace of its own.
        if entry.status.state == .failed || entry.openDrifts.isEmpty { return true }
        let now = timing.uptime()
        if entry.pace.admit(at: now) { return true }
        suspend(&entry, at: now, &news)
        return false
    }

    private func suspend(_ entry: inout Managed, at now: Duration, _ news: inout News) {
        let pause = entry.pace.suspend(at: now)
        suspensions += 1
        let number = suspensions
        let last = entry.openDrifts.last { $0.author != nil } ?? entry.openDrifts.last
        guard let last else { return }
        let drift = Drift(field: last.field, desired: last.desired, observed: last.observed, foundAt: last.foundAt)
        let end = Timestamp(milliseconds: news.time.milliseconds + Int64(pause / .milliseconds(1)))
        let problem = TunnelProblem.repairSuspended(
            entry.tunnel.name, times: RepairPace.repairs, last: drift, by: last.author, until: end)
        entry.suspension = Suspension(number: number, problem: problem)
        entry.status.problem = problem
        let detail = Event.detail(entry.openDrifts)
        news.events.append(Event(at: news.time, kind: .repairSuspended, tunnel: entry.tunnel, detail: detail))
        let metadata: Logger.Metadata = ["tunnel": "\(entry.tunnel.name)", "problem": "\(problem.detail)"]
        logger.error("repair suspended", metadata: metadata)
        let id = entry.tunnel.id
        timing.after(pause) {
            self.onWriter { reconciler in
                guard reconciler.managed[id]?.suspension?.number == number else { return }
                reconciler.managed[id]?.suspension = nil
                reconciler.scheduleLook(after: .zero)
            }
        }
    }
}
