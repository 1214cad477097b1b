internal import Logging
public import TunnelStore
public import Tunnels

/// Why a checkpoint can't be confirmed or reverted.
public enum CheckpointRefusal: Error, Sendable {
    case notFound
    /// It has ended, and not as is asked for now.
    case ended(Checkpoint)
    /// It is as before: the database refused, or the daemon is stopping.
    case refused(WriteRefusal)
}

extension Reconciler {
    /// Confirms or reverts a checkpoint. To end it again as it has ended changes nothing. `completion` is called by
    /// the writer.
    ///
    /// - Parameter receipt: for the transaction that ends it. Where links couldn't be brought back this is told by a look
    ///   after that; the answer is kept then, and a retry of before finds the checkpoint reverted.
    public nonisolated func end(
        _ id: CheckpointID, _ outcome: Checkpoint.Outcome, author: String, receipt: Receipt<Checkpoint>? = nil,
        completion: @escaping @Sendable (Result<Checkpoint, CheckpointRefusal>) -> Void
    ) {
        let work = LoneWork { reconciler in
            do throws(CheckpointRefusal) {
                completion(.success(try reconciler.end(id, outcome, by: author, receipt)))
            } catch {
                completion(.failure(error))
            }
        } refuse: { refusal in
            completion(.failure(.refused(refusal)))
        }
        submit(work)
    }

    private func end(
        _ id: CheckpointID, _ outcome: Checkpoint.Outcome, by author: String, _ receipt: Receipt<Checkpoint>?
    ) throws(CheckpointRefusal) -> Checkpoint {
        if let pending, pending.checkpoint.id == id {
            switch outcome {
            case .confirmed: return try confirm(pending, by: author, receipt)
            case .reverted: return try revert(pending, by: author, receipt)
            }
        }
        guard let checkpoint = checkpoints[id] else { throw .notFound }
        guard checkpoint.end?.outcome == outcome else { throw .ended(checkpoint) }
        keepAfterwards(checkpoint, receipt)
        return checkpoint
    }

    /// - Parameter author: nil for the probe.
    func confirm(
        _ pending: PendingCheckpoint, by author: String?, _ receipt: Receipt<Checkpoint>? = nil
    ) throws(CheckpointRefusal) -> Checkpoint {
        // The deadline has passed; its timer is on its way.
        if isOverdue(pending) { throw .ended(try revert(pending, by: nil)) }
        let checkpoint = pending.checkpoint.ended(.confirmed, at: timing.now(), by: author)
        do throws(WriteError<StoreError>) {
            try store.write { (transaction) throws(StoreError) in
                try transaction.conclude(checkpoint)
                try keep(checkpoint, receipt, in: &transaction)
            }
        } catch {
            throw CheckpointRefusal(error)
        }
        conclude(checkpoint)
        return checkpoint
    }

    /// Shows how the checkpoint ended.
    func conclude(_ checkpoint: Checkpoint) {
        pending?.endProbe()
        pending = nil
        holdsAdoption = false
        checkpoints.publish(checkpoint)
        guard let end = checkpoint.end else { return }
        let metadata: Logger.Metadata = [
            "checkpoint": "\(checkpoint.id)", "by": "\(end.actor ?? end.outcome.ownReason)",
            "failures": "\(end.failures.count)",
        ]
        logger.log(level: end.failures.isEmpty ? .notice : .error, "\(end.outcome.rawValue)", metadata: metadata)
    }
}

// MARK: - In the transaction

extension Transaction {
    /// Keeps the former state, and says who made the change.
    mutating func open(_ checkpoint: Checkpoint, former: [FormerTunnel]) throws(StoreError) {
        try insert(checkpoint, former: former)
        let detail = "{\"deadline\":\"\(checkpoint.deadline)\",\"tunnels\":\(checkpoint.tunnels)}"
        let subject = Event.Subject.checkpoint(id: checkpoint.id.text)
        try record(
            Event(
                at: checkpoint.createdAt, kind: .checkpointCreated, subject: subject, actor: checkpoint.actor,
                detail: detail))
    }

    /// Ends the checkpoint, and says who did.
    mutating func conclude(_ checkpoint: Checkpoint) throws(StoreError) {
        guard let end = checkpoint.end else { return }
        try self.end(checkpoint.id, end)
        let kind: Event.Kind =
            switch end.outcome {
            case .confirmed: .checkpointConfirmed
            case .reverted: .checkpointReverted
            }
        let detail = end.actor == nil ? "{\"by\":\"\(end.outcome.ownReason)\"}" : nil
        let subject = Event.Subject.checkpoint(id: checkpoint.id.text)
        try record(Event(at: end.at, kind: kind, subject: subject, actor: end.actor, detail: detail))
    }
}

extension Checkpoint {
    func ended(_ outcome: Outcome, at time: Timestamp, by author: String?) -> Checkpoint {
        var ended = self
        ended.end = End(outcome, at: time, actor: author)
        return ended
    }
}

extension Checkpoint.Outcome {
    /// What brings it about when nobody asks for it.
    public var ownReason: String {
        switch self {
        case .confirmed: "probe"
        case .reverted: "deadline"
        }
    }
}

extension CheckpointRefusal {
    fileprivate init(_ error: WriteError<StoreError>) {
        switch error {
        case .body(let error), .store(let error): self = .refused(.storage(error))
        }
    }

    init(_ error: WriteError<WriteRefusal>) {
        switch error {
        case .body(let refusal): self = .refused(refusal)
        case .store(let error): self = .refused(.storage(error))
        }
    }
}
