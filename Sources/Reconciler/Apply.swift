internal import Synchronization
public import TunnelStore
public import Tunnels

/// A set of tunnels that a client asks for: all of it or nothing.
public struct Apply: Sendable {
    public var set: TunnelSet
    /// Revisions of the set, one of which it must be at; nil for any.
    public var revisions: [Int64]?
    /// Who asks, for the events: `uid 0` or `token <id>`.
    public var author: String
    /// Whether only the plan is asked for.
    public var isDryRun: Bool
    /// How the change waits to be confirmed; nil where it stays. A dry run has no say in it.
    public var confirmation: Confirmation?
    /// Not for a dry run, which does nothing.
    public var receipt: Receipt<ApplyOutcome>?

    public init(
        _ set: TunnelSet, revisions: [Int64]? = nil, author: String, isDryRun: Bool = false,
        confirmation: Confirmation? = nil, receipt: Receipt<ApplyOutcome>? = nil
    ) {
        self.set = set
        self.revisions = revisions
        self.author = author
        self.isDryRun = isDryRun
        self.confirmation = confirmation
        self.receipt = receipt
    }
}

/// What an apply did. It is durable, and in the kernel.
public struct ApplyOutcome: Sendable {
    /// Of the set, afterwards.
    public var revision: Int64
    /// In the order of the set, then what was deleted, by name.
    public var items: [SetChange.Item]
    /// What a dry run would have the data plane do, in order; empty for an apply.
    public var plans: [TunnelPlan] = []
    /// What waits to be confirmed; nil where nothing was changed, or nobody asked for it.
    public var checkpoint: Checkpoint?
}

/// Why one tunnel of a set was refused.
public struct ItemRefusal: Sendable {
    /// In the set; nil for a tunnel that it doesn't list.
    public let position: Int?
    public let name: String
    public let problem: TunnelProblem
}

extension Reconciler {
    /// Hands a set to the writer. Returns at once; `completion` is called by the writer.
    public nonisolated func apply(
        _ apply: Apply, completion: @escaping @Sendable (Result<ApplyOutcome, WriteRefusal>) -> Void
    ) {
        submit(
            LoneWork { reconciler in
                do throws(WriteRefusal) {
                    completion(.success(try reconciler.carryOut(apply)))
                } catch {
                    reconciler.counters.refusals.increment()
                    completion(.failure(error))
                }
            } refuse: {
                completion(.failure($0))
            })
    }

    private func carryOut(_ apply: Apply) throws(WriteRefusal) -> ApplyOutcome {
        if !apply.isDryRun { try refuseWhilePending() }
        if isBehind { look() }
        batchTime = timing.now()
        if let revisions = apply.revisions, !revisions.contains(store.setRevision) {
            throw .setChanged(current: store.setRevision)
        }
        let began = timing.uptime()
        let change = try change(to: apply.set)
        let steps = change.steps
        counters.planMicroseconds.store(Int((timing.uptime() - began).seconds * 1e6), ordering: .relaxed)
        try refuseSwallowing(steps)
        if let confirmation = apply.confirmation { try check(confirmation, of: change) }
        if apply.isDryRun {
            let plans = try plans(for: steps)
            return ApplyOutcome(revision: store.setRevision, items: change.items, plans: plans)
        }
        var outcome = ApplyOutcome(revision: store.setRevision, items: change.items)
        guard !steps.isEmpty else {
            keepAfterwards(outcome, apply.receipt)
            return outcome
        }
        try carryOut(steps, by: apply.author, until: apply.confirmation) {
            (checkpoint, transaction) throws(StoreError) in
            outcome.checkpoint = checkpoint
            outcome.revision = transaction.setRevision ?? outcome.revision
            try keep(outcome, apply.receipt, in: &transaction)
        }
        return outcome
    }

    private func change(to set: TunnelSet) throws(WriteRefusal) -> SetChange {
        var ids = TunnelIDSequence(at: batchTime)
        let change: SetChange
        do throws(SetConflicts) {
            change = try SetChange(
                to: set, from: directory.views.lazy.map(\.tunnel), at: batchTime, ids: &ids, limit: Self.conflictsTold)
        } catch {
            throw .conflicts(error.conflicts)
        }
        let growth = change.items.reduce(0) { growth, item in
            growth + (item.former == nil ? 1 : 0) - (item.wanted == nil ? 1 : 0)
        }
        guard growth <= 0 || managed.count + growth <= limits.tunnels else {
            throw .tooManyTunnels(limit: limits.tunnels)
        }
        return change
    }

    private static let conflictsTold = 100

    /// Refuses definitions whose own addresses or routes would carry their outer packets back into the tunnel.
    private func refuseSwallowing(_ steps: [SetChange.Item]) throws(WriteRefusal) {
        let suspects = steps.compactMap { step in
            step.wanted?.definition.prefixAroundRemote.map { (step, $0) }
        }
        guard !suspects.isEmpty else { return }
        let paths: [TunnelID: UnderlayPath]
        do throws(TunnelProblem) {
            paths = try plane.paths(of: suspects.compactMap(\.0.wanted))
        } catch {
            throw .host(error)
        }
        let refused = suspects.compactMap { step, prefix -> ItemRefusal? in
            guard let wanted = step.wanted, swallows(wanted, prefix, paths[wanted.id]) else { return nil }
            let problem = TunnelProblem.routeSwallowsRemote(prefix, remote: wanted.definition.remote)
            return ItemRefusal(position: step.position, name: wanted.name.text, problem: problem)
        }
        if !refused.isEmpty { throw .items(refused) }
    }
}
