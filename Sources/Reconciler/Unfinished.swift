internal import Logging
internal import TunnelStore
internal import Tunnels

/// The journal of our own changes while they aren't done. A start must know what a kill left half-done by us: under the
/// policies other than `enforce` it would tell of it as drift, or take it over.
extension Reconciler {
    /// To be called before the kernel is asked, and before the transaction.
    ///
    /// - Parameters:
    ///   - ids: of tunnels whose links may be changed.
    ///   - isHandover: whether they change hands: then what is half-done concerns every policy.
    func noteUnfinished(_ ids: some Sequence<TunnelID>, isHandover: Bool = false) throws(WriteRefusal) {
        let new = ids.filter { id in
            guard !unfinished.contains(id), let entry = managed[id] else { return false }
            return isHandover || entry.tunnel.definition.driftPolicy != .enforce
        }
        guard !new.isEmpty else { return }
        do throws(StoreError) { try store.noteUnfinished(new) } catch { throw .storage(error) }
        unfinished.formUnion(new)
    }

    /// The same for what is done after the commit, in the transaction itself.
    func noteUnfinished(_ id: TunnelID, in transaction: inout Transaction) throws(WriteRefusal) {
        do throws(StoreError) { try transaction.noteUnfinished(id) } catch { throw .storage(error) }
        unfinished.insert(id)
    }

    /// Strikes out what a look found done.
    func strikeOutFinished() {
        let done = unfinished.filter { managed[$0]?.isEstablished ?? true }
        guard !done.isEmpty else { return }
        do throws(StoreError) {
            try store.strikeOut(done)
            unfinished.subtract(done)
        } catch {
            logger.error("journal not written", metadata: ["error": "\(error)"])
        }
    }

    /// Takes in what a former daemon left: what differs there is nobody else's doing.
    func restoreUnfinished() throws(StoreError) {
        unfinished = try store.unfinished()
        for id in unfinished { managed[id]?.isEstablished = false }
    }
}
