internal import Logging
internal import TunnelStore
internal import Tunnels

/// The totals of tunnels, kept over restarts. They are written seldom and together, here, so that nothing else is written
/// at the same time; what a write that fails would have stored, the next one does.
extension Reconciler {
    /// Has the sampler's totals stored; to be called before the start.
    public func keepTotals(of sampler: Sampler) { self.sampler = sampler }

    func restoreTotals() throws(StoreError) {
        guard let sampler else { return }
        try sampler.restore(managed.count, from: store)
        scheduleSaving()
    }

    private func scheduleSaving() {
        timing.after(limits.totals) {
            self.onWriter { reconciler in
                guard !reconciler.isStopped else { return }
                reconciler.saveTotals()
                reconciler.scheduleSaving()
            }
        }
    }

    /// Writes down what has changed since the last time.
    func saveTotals() {
        guard let sampler else { return }
        // What is deleted comes back with a revert.
        let isPending = pending != nil
        let unsaved = sampler.unsaved { isPending || managed[$0] != nil }
        guard !unsaved.isEmpty else { return }
        do throws(StoreError) {
            try store.store(unsaved.totals, forgetting: unsaved.gone)
            sampler.noteSaved(unsaved)
            if !savesTotals { logger.notice("totals stored again") }
            savesTotals = true
        } catch {
            // Once: it is tried again each minute, and loses nothing meanwhile.
            if savesTotals { logger.error("totals not stored", metadata: ["error": "\(error)"]) }
            savesTotals = false
        }
    }

    /// Counts what went through links that are about to end and whose tunnels stay.
    func countBeforeEnd() {
        guard let sampler else { return }
        do { _ = try sampler.sample(isFresh: true) } catch {
            logger.warning("links not counted before their end", metadata: ["problem": "\(error.detail)"])
        }
    }
}
