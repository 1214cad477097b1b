internal import Logging
internal import TunnelStore
internal import Tunnels

/// What the policy `adopt` would take into the definition, and can't.
struct AdoptionRefusal: Equatable {
    let places: Set<DriftPlace>
    let problem: TunnelProblem

    init?(_ refused: [DriftAdoption.Refused]) {
        guard !refused.isEmpty else { return nil }
        places = Set(refused.map(\.difference.place))
        problem = .adoptionRefused(refused)
    }

    /// While a checkpoint is pending.
    init(held differences: [Difference]) {
        places = Set(differences.map(\.place))
        problem = .adoptionHeld
    }

    func covers(_ difference: Difference) -> Bool { places.contains(difference.place) }
}

/// Another tunnel has, or the database refuses, what was to be adopted.
private struct Blocked: Error {
    let refused: [DriftAdoption.Refused]
}

extension Reconciler {
    /// Takes what others changed into the definition, as far as that can be. What can't is in the entry's `refusal`.
    ///
    /// - Returns: whether the definition is another one now.
    func adopt(
        _ differences: [Difference], _ entry: inout Managed, on link: ObservedLink, in observed: ObservedState,
        _ news: inout News
    ) -> Bool {
        entry.refusal = nil
        var wanted = differences.filter { difference in
            // A link that goes down loses its routes without anybody's taking them away; they are put back.
            if case .routeMissing = difference {
                return link.isUp && news.notes.tellOfRemovedRoutes(on: link.ifindex)
            }
            return difference.isAdoptable && !difference.isOurs(on: link)
        }
        if holdsAdoption, !wanted.isEmpty {
            entry.refusal = AdoptionRefusal(held: wanted)
            return false
        }
        var blocked: [DriftAdoption.Refused] = []
        while !wanted.isEmpty {
            let adoption = DriftAdoption(of: wanted, on: link, into: entry.tunnel.definition, in: observed)
            do throws(Blocked) {
                if !adoption.adopted.isEmpty { try store(adoption, &entry, in: observed, &news) }
                entry.refusal = AdoptionRefusal(blocked + adoption.refused)
                return !adoption.adopted.isEmpty
            } catch {
                // Once more without it.
                blocked += error.refused
                wanted.removeAll { difference in error.refused.contains { $0.difference == difference } }
            }
        }
        entry.refusal = AdoptionRefusal(blocked)
        return false
    }

    /// Stores the definition, the event and the rows in one transaction, after what happened before in this look.
    private func store(
        _ adoption: DriftAdoption, _ entry: inout Managed, in observed: ObservedState, _ news: inout News
    ) throws(Blocked) {
        var changed = entry
        changed.tunnel.definition = adoption.definition
        changed.tunnel.revision += 1
        changed.tunnel.updatedAt = news.time
        do throws(WriteRefusal) { try refuseSwallowing(changed.tunnel) } catch {
            throw Blocked(adoption.adopted.filter(\.isOfRouting), because: error.words)
        }
        let (tunnel, waiting) = (changed.tunnel, unwritten)
        let left = Set(((try? plan(for: tunnel, in: observed))?.differences ?? []).map(\.place))
        let rows = entry.openDrifts.filter { !left.contains($0.place) }
        closeDrifts(of: &changed, at: news.time) { left.contains($0.place) ? nil : .adopted }
        managed[tunnel.id] = changed
        let events =
            news.events + [Event(at: news.time, kind: .updated, tunnel: tunnel, detail: Event.detail(rows))]
        do throws(WriteError<Refusal>) {
            let ids = try store.write { (transaction) throws(Refusal) in
                try transaction.update(tunnel)
                do throws(StoreError) {
                    for event in events { try transaction.record(event) }
                    return try write(unwritten, in: &transaction)
                } catch {
                    throw .storage(error)
                }
            }
            unwritten = UnwrittenDrift()
            number(ids)
            news.events = []
            entry = managed[tunnel.id] ?? changed
            // Before anybody who heard of the event asks.
            settle(entry)
            counters.adoptions.increment()
            logger.notice("adopted", metadata: ["tunnel": "\(tunnel.name)", "revision": "\(tunnel.revision)"])
        } catch {
            unwritten = waiting
            managed[tunnel.id] = entry
            throw blocked(adoption, by: error)
        }
    }

    private func blocked(_ adoption: DriftAdoption, by error: WriteError<Refusal>) -> Blocked {
        let refusal: Refusal =
            switch error {
            case .body(let refusal): refusal
            case .store(let error): .storage(error)
            }
        func isNamed(_ difference: Difference) -> Bool { if case .name = difference { true } else { false } }
        func isEnd(_ difference: Difference) -> Bool {
            ["local", "remote", "underlay"].contains(difference.summary.field)
        }
        switch refusal {
        case .nameTaken(let holder):
            return Blocked(adoption.adopted.filter(isNamed), because: "the tunnel \(holder.name) has that name.")
        case .endpointsTaken(let holder):
            return Blocked(adoption.adopted.filter(isEnd), because: "the tunnel \(holder.name) has these endpoints.")
        case .addressTaken(let address, let holder):
            return Blocked([.addressExtra(address)], because: "the tunnel \(holder.name) has that address.")
        case .constraint(let message):
            return Blocked(adoption.adopted, because: "the database refuses it: \(message).")
        case .notFound: return Blocked(adoption.adopted, because: "the tunnel isn't stored.")
        case .storage(let error): return Blocked(adoption.adopted, because: "\(error)")
        }
    }
}

extension Blocked {
    fileprivate init(_ differences: [Difference], because reason: String) {
        refused = differences.map { DriftAdoption.Refused($0, because: reason) }
    }
}

extension Difference {
    /// Whether it can lead the tunnel's own packets into the tunnel.
    fileprivate var isOfRouting: Bool {
        switch self {
        case .addressExtra, .routeExtra, .parameter: true
        default: false
        }
    }
}

extension WriteRefusal {
    fileprivate var words: String {
        if case .host(let problem) = self { problem.detail } else { "\(self)" }
    }
}
