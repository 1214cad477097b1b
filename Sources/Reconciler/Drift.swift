internal import Logging
internal import TunnelStore
internal import Tunnels

/// The ledger of what others changed: what is open of each tunnel is in its `Managed`, what ended goes to the database.
extension Reconciler {
    /// Compares what differs now with what is known: opens a row for each difference that is new, and closes those
    /// whose difference is gone or another.
    ///
    /// - Parameter differences: all that others made.
    /// - Returns: whether there was a new one.
    @discardableResult
    func note(_ differences: [Difference], on entry: inout Managed, _ news: inout News) -> Bool {
        guard entry.isEstablished, !(differences.isEmpty && entry.openDrifts.isEmpty) else { return false }
        let places = Dictionary(differences.map { ($0.place, $0.summary.observed) }) { first, _ in first }
        let isGone = differences.contains(.linkMissing)
        var known: Set<DriftPlace> = []
        closeDrifts(of: &entry, at: news.time) { row in
            guard let observed = places[row.place] else { return isGone ? .superseded : .withdrawn }
            guard observed == row.observed else { return .superseded }
            known.insert(row.place)
            return nil
        }
        let ifindex = entry.status.ifindex
        let rows = differences.filter { !known.contains($0.place) }.map { difference in
            let (field, desired, observed) = difference.summary
            return DriftRecord(
                tunnel: entry.tunnel.id, field: field, desired: desired, observed: observed, foundAt: news.time,
                author: news.notes.author(of: difference, on: ifindex))
        }
        guard !rows.isEmpty else { return false }
        open(rows, of: &entry, &news)
        return true
    }

    private func open(_ rows: [DriftRecord], of entry: inout Managed, _ news: inout News) {
        entry.openDrifts += rows
        unwritten.opened.insert(entry.tunnel.id)
        counters.drifts.increment(by: rows.count)
        entry.status.state = .drifted
        entry.status.drift = Array((rows.map(Drift.init) + entry.status.drift).prefix(Self.driftKept))
        news.events.append(
            Event(at: news.time, kind: .drifted, tunnel: entry.tunnel, detail: Event.detail(rows)))
        for row in rows {
            var metadata: Logger.Metadata = [
                "tunnel": "\(entry.tunnel.name)", "field": "\(row.field)", "desired": "\(row.desired)",
                "observed": "\(row.observed)",
            ]
            if let author = row.author { metadata["by"] = "\(author)" }
            logger.warning("drift", metadata: metadata)
        }
    }

    static let driftKept = 16

    /// Ends open rows.
    ///
    /// - Parameter outcome: how each ended; nil where it goes on.
    func closeDrifts(of entry: inout Managed, at time: Timestamp, _ outcome: (DriftRecord) -> DriftRecord.Outcome?) {
        guard !entry.openDrifts.isEmpty else { return }
        var isChanged = false
        var open: [DriftRecord] = []
        for row in entry.openDrifts {
            guard let outcome = outcome(row) else {
                open.append(row)
                continue
            }
            unwritten.closed.append(row.ended(outcome, at: time))
            entry.status.end(row, outcome, at: time)
            isChanged = true
        }
        if isChanged { entry.openDrifts = open }
    }

    /// Writes what waits to be written of the ledger.
    ///
    /// - Returns: the ids that rows got, by tunnel, in the order of its open rows.
    func write(_ rows: UnwrittenDrift, in transaction: inout Transaction) throws(StoreError) -> [TunnelID: [Int64]] {
        for row in rows.closed { try transaction.store(row) }
        var ids: [TunnelID: [Int64]] = [:]
        for id in rows.opened {
            for row in managed[id]?.openDrifts ?? [] {
                let number = if let number = row.id { number } else { try transaction.store(row) }
                ids[id, default: []].append(number)
            }
        }
        return ids
    }

    /// Takes in the ids that ``write(_:in:)`` gave, after the commit.
    func number(_ ids: [TunnelID: [Int64]]) {
        for (id, ids) in ids {
            guard var entry = managed[id], entry.openDrifts.count == ids.count else { continue }
            for (position, id) in ids.enumerated() { entry.openDrifts[position].id = id }
            managed[id] = entry
        }
    }

    /// Takes in the rows that a former daemon left open.
    func restoreDrifts() throws(StoreError) {
        for row in try store.openDrifts() {
            guard var entry = managed[row.tunnel] else { continue }
            entry.openDrifts.append(row)
            entry.status.drift = Array(([Drift(row)] + entry.status.drift).prefix(Self.driftKept))
            managed[row.tunnel] = entry
        }
    }
}

extension Drift {
    fileprivate init(_ row: DriftRecord) {
        self.init(field: row.field, desired: row.desired, observed: row.observed, foundAt: row.foundAt)
    }
}

extension TunnelStatus {
    /// Shows that a drift ended; one that another took the place of isn't shown any more.
    fileprivate mutating func end(_ row: DriftRecord, _ outcome: DriftRecord.Outcome, at time: Timestamp) {
        let position = drift.firstIndex {
            $0.repairedAt == nil && $0.field == row.field && $0.desired == row.desired && $0.observed == row.observed
        }
        guard let position else { return }
        if outcome == .superseded { drift.remove(at: position) } else { drift[position].repairedAt = time }
    }
}

// MARK: - Writes

extension Reconciler {
    /// Ends the open rows of a tunnel that is written to.
    func supersedeDrifts(of id: TunnelID, in transaction: inout Transaction) throws(WriteRefusal) {
        for row in managed[id]?.openDrifts ?? [] {
            do throws(StoreError) { try transaction.store(row.ended(.superseded, at: batchTime)) } catch {
                throw .storage(error)
            }
        }
    }

    /// A write that changes nothing in the definition brings the kernel back to it all the same.
    ///
    /// - Returns: the view after that.
    func bringBack(_ view: TunnelView) -> TunnelView {
        guard var entry = managed[view.tunnel.id], entry.status.state == .drifted else { return view }
        let target = Target(
            id: entry.tunnel.id, name: entry.tunnel.name.text, wanted: entry.tunnel, ifindex: entry.status.ifindex)
        var news = News(time: batchTime)
        entry.pace = RepairPace()
        entry.suspension = nil
        entry.status.drift = []
        for result in converge([target]) {
            switch result {
            case .success(let link?):
                let isNew = link.ifindex != target.ifindex
                news.events.append(event(.repaired, of: entry.tunnel, at: news.time))
                accept(link, for: entry, isNew: isNew, at: batchTime, closing: .superseded)
                if isNew { news.renewed.append(entry.tunnel.id) }
            case .success(nil): break
            case .failure(let problem): fail(entry, problem, &news)
            }
        }
        record(news.events, renewed: news.renewed)
        return directory.view(.id(entry.tunnel.id)) ?? view
    }
}

extension Managed {
    /// After a write: nothing of what others did before counts any more, and the kernel is to be brought to it.
    mutating func beginAnew() {
        upkeep.openDrifts = []
        upkeep.isEstablished = false
        upkeep.pace = RepairPace()
        upkeep.suspension = nil
        upkeep.refusal = nil
    }
}
