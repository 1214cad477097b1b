internal import Logging
internal import TunnelStore
internal import Tunnels

/// Answers that are kept with the writes that they are to (`Write.receipt`).
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
