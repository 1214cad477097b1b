internal import Logging
public import TunnelStore
public import Tunnels

/// Makes what is kept of an answer, so that a retry gets it again. Called in the transaction that does what is asked for,
/// before the commit, and again where part of it is taken back and tried anew; not for a refusal, which leaves nothing.
public typealias Receipt<Outcome> = @Sendable (Outcome, _ at: Timestamp) -> KeptAnswer

/// Answers that are kept with the writes that they are to.
extension Reconciler {
    /// Keeps the answers to what is done, in the transaction that does it.
    func keepAnswers(to items: [BatchItem], in transaction: inout Transaction) {
        for item in items where item.refusal == nil {
            guard let receipt = item.pending.write.receipt, let outcome = foreseenOutcome(of: item) else { continue }
            hasKeptAnswers = true
            // A failure stays with the transaction, which doesn't commit then.
            try? transaction.keep(receipt(outcome, batchTime))
        }
    }

    /// Keeps the answer to what the transaction does.
    func keep<Outcome>(
        _ outcome: Outcome, _ receipt: Receipt<Outcome>?, in transaction: inout Transaction
    ) throws(StoreError) {
        guard let receipt else { return }
        hasKeptAnswers = true
        try transaction.keep(receipt(outcome, timing.now()))
    }

    /// Keeps the answer to what is done already. Where the daemon is killed in between, or the database refuses, a retry
    /// finds it done and is judged by that.
    func keepAfterwards<Outcome>(_ outcome: Outcome, _ receipt: Receipt<Outcome>?) {
        guard let receipt else { return }
        do throws(WriteError<StoreError>) {
            try store.write { (transaction) throws(StoreError) in try keep(outcome, receipt, in: &transaction) }
        } catch {
            logger.error("answer not kept", metadata: ["error": "\(error)"])
        }
    }

    /// What a write's outcome is going to be once the transaction is committed.
    private func foreseenOutcome(of item: BatchItem) -> WriteOutcome? {
        if let view = item.unchanged { return .unchanged(view) }
        guard let step = item.step else { return nil }
        guard let wanted = step.wanted else { return .deleted }
        var entry = pendingEntry(step, wanted, item.asked?.result)
        if case .success(let link?) = item.asked?.result {
            entry = entry.accepting(link, isNew: link.ifindex != step.ifindex, at: batchTime)
        }
        let view = TunnelView(tunnel: wanted, status: entry.status)
        return step.former == nil ? .created(view) : .changed(view)
    }

    func pruneAnswers() {
        do throws(StoreError) {
            let now = timing.now().milliseconds
            try store.pruneAnswers(before: Timestamp(milliseconds: now - KeptAnswer.lifetimeMilliseconds))
            guard hasKeptAnswers else { return }
            hasKeptAnswers = false
            try store.pruneAnswers(keeping: limits.answers, bytes: limits.answerBytes)
        } catch {
            logger.error("answers not pruned", metadata: ["error": "\(error)"])
        }
    }
}
