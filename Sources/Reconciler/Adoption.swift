internal import Logging
internal import TunnelStore
internal import Tunnels

extension Write {
    /// Whether a link changes hands by it.
    var isHandover: Bool {
        switch change {
        case .adopt, .unmanage: true
        case .create, .put, .modify, .delete: false
        }
    }
}

/// A link between us and others, both ways. What is done to the kernel before the commit leaves half of the mark: its
/// tunnel claims such a link, and nobody takes it away where there is no tunnel. So the daemon may be killed at any
/// time, and the link is the tunnel's or nobody's, but never gone.
extension Reconciler {
    /// Carries out a write that takes a link over or lets one go. It is answered when all is done, also where an
    /// asynchronous answer is preferred. What an adopted link's tunnel is like is known after the commit, so its answer is
    /// kept then; a retry of what was killed in between is refused, as the link is a tunnel's already.
    func handOver(_ pending: PendingWrite) {
        let began = timing.uptime()
        let result: Result<WriteOutcome, WriteRefusal> = Result { () throws(WriteRefusal) in
            try refuseWhilePending()
            switch pending.write.change {
            case .adopt(let wish):
                let outcome = WriteOutcome.created(try adopt(wish, by: pending.write.author))
                keepAfterwards(outcome, pending.write.receipt)
                return outcome
            case .unmanage(let key): return try unmanage(key, by: pending.write)
            case .create, .put, .modify, .delete: throw .notFound
            }
        }
        publishRevision()
        counters.noteBatch(took: timing.uptime() - began)
        if case .success = result { counters.writes.increment() } else { counters.refusals.increment() }
        pending.completion(result)
    }

    /// The end of a link that we didn't make is carried out before it is answered: no look prunes one.
    func isEndOfAdopted(_ step: WriteStep) -> Bool {
        step.wanted == nil && step.ifindex.map { !plane.isOurMaking($0) } ?? false
    }

    // MARK: - Taking one over

    private func adopt(_ wish: Write.Adopting, by author: String) throws(WriteRefusal) -> TunnelView {
        let (found, adoption) = try adoptable(wish.link)
        guard var definition = adoption.definition, adoption.obstacles.isEmpty else {
            throw .notAdoptable(wish.link, adoption.obstacles)
        }
        definition.driftPolicy = wish.driftPolicy
        definition.labels = wish.labels
        definition.comment = wish.comment
        let violations = definition.violations()
        guard violations.isEmpty else { throw .invalid(violations) }
        let step = try creation(of: definition, room: limits.tunnels - managed.count)
        guard let tunnel = step.wanted else { throw .notFound }

        var isTaken = false
        do throws(WriteError<WriteRefusal>) {
            try store.write { (transaction) throws(WriteRefusal) in
                do throws(Refusal) {
                    try transaction.insert(tunnel)
                    try record(.adopted, of: tunnel, by: author, in: &transaction)
                } catch {
                    throw refusal(error, of: step)
                }
                try noteUnfinished(tunnel.id, in: &transaction)
                isTaken = true
                try handOver(.taking(found, adoption, for: tunnel.id))
            }
        } catch {
            if isTaken { letGo(.givingBack(found, adoption), of: definition.name) }
            throw error.refusal
        }
        return finish(tunnel, ifindex: found.link.ifindex)
    }

    private func adoptable(_ name: String) throws(WriteRefusal) -> (UnmanagedTunnel, Adoption) {
        let link: UnmanagedTunnel?
        do throws(TunnelProblem) {
            link = try plane.unmanagedTunnel(named: name)
        } catch {
            throw .host(error)
        }
        guard let link else { throw .linkNotFound(name) }
        let holder =
            link.link.owner.flatMap { managed[$0] } ?? managed.values.first { $0.status.ifindex == link.link.ifindex }
        if let holder {
            let detail = "it is the link of the tunnel \(holder.tunnel.name) already."
            throw .notAdoptable(name, [Adoption.Note("name", detail)])
        }
        // What other tunnels have, the database says when it is asked to store one more.
        return (link, Adoption(of: link, on: plane.kind, besides: TakenPlaces([])))
    }

    /// Gives the link the other half of the mark, as a look would, and publishes what became of it.
    private func finish(_ tunnel: Tunnel, ifindex: Int32) -> TunnelView {
        var entry = Managed(tunnel: tunnel, status: TunnelStatus(state: .pending, dataPlane: plane.kind))
        entry.status.ifindex = ifindex
        let target = Target(id: tunnel.id, name: tunnel.name.text, wanted: tunnel, ifindex: ifindex)
        switch converge([target]).first {
        case .success(let link?)?: accept(link, for: entry, isNew: false, at: batchTime)
        case .failure(let problem)?:
            // It is stored, so it is tried again, as any that failed.
            var news = News(time: batchTime)
            fail(entry, problem, &news)
            record(news.events, renewed: [])
        case .success(nil)?, nil:
            settle(entry)
            fallBehind()
        }
        let published = managed[tunnel.id] ?? entry
        return TunnelView(tunnel: published.tunnel, status: published.status)
    }

    // MARK: - Letting one go

    private func unmanage(_ key: TunnelKey, by write: Write) throws(WriteRefusal) -> WriteOutcome {
        guard let current = entry(key) else { throw .notFound }
        try check(write.precondition, against: current.tunnel)
        let (tunnel, step) = (current.tunnel, WriteStep(from: current, to: nil))
        guard plane.kind == .kernel else { throw .unmanageUnsupported(tunnel.name) }
        let link = try link(of: current)
        try noteUnfinished([tunnel.id], isHandover: true)

        var isLoosened = false
        do throws(WriteError<WriteRefusal>) {
            try store.write { (transaction) throws(WriteRefusal) in
                do throws(Refusal) {
                    try transaction.delete(tunnel.id)
                    try record(.unmanaged, of: tunnel, by: write.author, in: &transaction)
                } catch {
                    throw refusal(error, of: step)
                }
                try supersedeDrifts(of: tunnel.id, in: &transaction)
                do throws(StoreError) {
                    try keep(.deleted, write.receipt, in: &transaction)
                } catch {
                    throw .storage(error)
                }
                isLoosened = true
                if let link { try handOver(.loosening(link.ifindex)) }
            }
        } catch {
            // With half of its mark it is still this tunnel's, and gets the other half back.
            if isLoosened {
                _ = converge([Target(id: step.id, name: step.name, wanted: tunnel, ifindex: step.ifindex)])
            }
            throw error.refusal
        }
        remove(tunnel.id)
        if let link { letGo(.releasing(link), of: tunnel.name) }
        return .deleted
    }

    /// The tunnel's link as it is now; nil where there is none.
    private func link(of entry: Managed) throws(WriteRefusal) -> ObservedLink? {
        guard let ifindex = entry.status.ifindex else { return nil }
        do throws(TunnelProblem) {
            return try plane.observe(entry.tunnel, ifindex: ifindex).link(of: entry.tunnel.id)
        } catch {
            throw .host(error)
        }
    }

    // MARK: - Both

    private func handOver(_ handover: Handover) throws(WriteRefusal) {
        do throws(TunnelProblem) {
            try plane.handOver(handover)
        } catch {
            throw .host(error)
        }
    }

    /// What fails of it does no harm: an alias that no tunnel has, routes that nobody looks at.
    private func letGo(_ handover: Handover, of name: InterfaceName) {
        do throws(TunnelProblem) {
            try plane.handOver(handover)
        } catch {
            logger.error("mark left on a link", metadata: ["link": "\(name)", "problem": "\(error.detail)"])
        }
    }
}

extension WriteError<WriteRefusal> {
    fileprivate var refusal: WriteRefusal {
        switch self {
        case .body(let refusal): refusal
        case .store(let error): .storage(error)
        }
    }
}
