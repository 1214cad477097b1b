internal import Logging
public import TunnelStore
internal import Tunnels

/// How a change waits to be confirmed.
public struct Confirmation: Hashable, Sendable {
    /// In so many seconds, or everything goes back.
    public let seconds: Int
    /// Confirms by itself; nil where only a client does.
    public let probe: Checkpoint.Probe?

    public static let range = 1...86_400

    /// - Parameter seconds: in ``range``.
    public init(within seconds: Int, probe: Checkpoint.Probe? = nil) {
        self.seconds = min(max(seconds, Self.range.lowerBound), Self.range.upperBound)
        self.probe = probe
    }
}

/// The checkpoint that waits to be confirmed.
struct PendingCheckpoint {
    let checkpoint: Checkpoint
    /// On the clock that never goes back.
    let deadline: Duration
    /// Asks no more.
    let endProbe: @Sendable () -> Void
    /// Whether a revert couldn't be stored. The next one is stored before the kernel is asked: the links mustn't go to
    /// and fro for as long as the disk is full.
    var hasFailed = false
}

extension Reconciler {
    /// Refuses what would mix with a change that may still go back.
    func refuseWhilePending() throws(WriteRefusal) {
        if let pending { throw .checkpointPending(pending.checkpoint) }
    }

    /// Refuses a confirmation that could never come.
    func check(_ confirmation: Confirmation, of change: SetChange) throws(WriteRefusal) {
        guard let name = confirmation.probe?.tunnel else { return }
        let touched = change.items.first { ($0.wanted ?? $0.former)?.name == name }
        let tunnel = touched.map(\.wanted) ?? directory.view(.name(name))?.tunnel
        guard let tunnel, tunnel.definition.enabled else {
            let detail = "there will be no tunnel \(name) that is up; name one of those that there are then."
            throw .invalid([Violation("/confirm_when/through", detail)])
        }
        if let obstacle = prober.obstacle() { throw .invalid([Violation("/confirm_when", obstacle)]) }
    }

    /// Makes all steps true or none, and keeps what there was until the change is confirmed, where it is to be.
    ///
    /// - Parameter also: what the same transaction is to write besides.
    func carryOut(
        _ steps: [SetChange.Item], by author: String, until confirmation: Confirmation?,
        _ also: (Checkpoint?, inout Transaction) throws(StoreError) -> Void
    ) throws(WriteRefusal) {
        guard let confirmation else {
            return try carryOut(steps, by: author) { (transaction) throws(StoreError) in try also(nil, &transaction) }
        }
        let former = steps.compactMap { step in
            if let former = step.former {
                FormerTunnel(former, epoch: managed[former.id]?.status.epoch ?? 1)
            } else {
                step.wanted.map { FormerTunnel(none: $0.id) }
            }
        }
        var made: Checkpoint?
        try carryOut(steps, by: author) { (transaction) throws(StoreError) in
            // Now, as the time to confirm begins when all is made.
            let checkpoint = checkpoint(confirmation, tunnels: former.count, author: author)
            try transaction.open(checkpoint, former: former)
            made = checkpoint
            try also(checkpoint, &transaction)
        }
        if let made { watch(made) }
    }

    private func checkpoint(_ confirmation: Confirmation, tunnels: Int, author: String) -> Checkpoint {
        let now = timing.now()
        var generator = SystemRandomNumberGenerator()
        return Checkpoint(
            id: CheckpointID(at: now, using: &generator), createdAt: now,
            deadline: Timestamp(milliseconds: now.milliseconds + Int64(confirmation.seconds) * 1000), actor: author,
            probe: confirmation.probe, tunnels: tunnels)
    }

    /// The first look, which goes on where the last daemon was stopped or killed: what is overdue goes back in the
    /// database before anything is brought to the kernel.
    func firstLook() throws(StoreError) {
        checkpoints.load(try store.checkpoints(limit: Checkpoints.endedKept + 1))
        guard let checkpoint = try store.pendingCheckpoint() else { return look() }
        holdsAdoption = true
        guard left(until: checkpoint) <= .zero else {
            look()
            return watch(checkpoint)
        }
        batchTime = timing.now()
        let reverted = checkpoint.ended(.reverted, at: batchTime, by: nil)
        do throws(CheckpointRefusal) {
            let steps = try stepsBack(of: checkpoint)
            try revertStored(reverted, steps)
            look()
            noteFailures(of: reverted, steps)
            holdsAdoption = false
        } catch {
            notReverted(checkpoint.id, error)
            look()
            // Tried again, as when it fails while we run.
            watch(checkpoint)
            pending?.hasFailed = true
        }
    }

    /// Shows a checkpoint that is stored, and waits for its deadline and its probe.
    func watch(_ checkpoint: Checkpoint) {
        let deadline = timing.uptime() + left(until: checkpoint)
        checkpoints.publish(checkpoint)
        holdsAdoption = true
        pending = PendingCheckpoint(checkpoint: checkpoint, deadline: deadline, endProbe: beginProbe(of: checkpoint))
        scheduleDeadline(of: checkpoint.id)
        let metadata: Logger.Metadata = [
            "checkpoint": "\(checkpoint.id)", "deadline": "\(checkpoint.deadline)", "tunnels": "\(checkpoint.tunnels)",
        ]
        logger.notice("waiting for confirmation", metadata: metadata)
    }

    /// Never more than was given, also when the clock was set back while no daemon ran.
    private func left(until checkpoint: Checkpoint) -> Duration {
        let given = checkpoint.deadline.milliseconds - checkpoint.createdAt.milliseconds
        return .milliseconds(min(checkpoint.deadline.milliseconds - timing.now().milliseconds, given))
    }

    // MARK: - The deadline

    /// The wall clock may be set, and the host may sleep: what comes first counts, so it is looked at each second.
    private static let deadlineTick = Duration.seconds(1)

    private func scheduleDeadline(of id: CheckpointID, after pause: Duration = .zero) {
        guard let pending, pending.checkpoint.id == id, !isStopped else { return }
        let remaining = max(remaining(pending), pause)
        timing.after(min(remaining, Self.deadlineTick)) {
            self.onWriter { $0.checkDeadline(of: id) }
        }
    }

    private func remaining(_ pending: PendingCheckpoint) -> Duration {
        max(min(pending.deadline - timing.uptime(), left(until: pending.checkpoint)), .zero)
    }

    func isOverdue(_ pending: PendingCheckpoint) -> Bool { remaining(pending) == .zero }

    private func checkDeadline(of id: CheckpointID) {
        guard let pending, pending.checkpoint.id == id, !isStopped else { return }
        guard isOverdue(pending) else { return scheduleDeadline(of: id) }
        do throws(CheckpointRefusal) {
            _ = try revert(pending, by: nil)
        } catch {
            notReverted(id, error)
            scheduleDeadline(of: id, after: Self.deadlineTick)
        }
    }

    private func notReverted(_ id: CheckpointID, _ refusal: CheckpointRefusal) {
        logger.error("not reverted", metadata: ["checkpoint": "\(id)", "error": "\(refusal)"])
    }

    // MARK: - The probe

    /// - Returns: what ends it.
    private func beginProbe(of checkpoint: Checkpoint) -> @Sendable () -> Void {
        guard let probe = checkpoint.probe else { return {} }
        let tunnel = managed.values.first { $0.tunnel.name == probe.tunnel }?.tunnel
        let question = Prober.Question(
            address: probe.address, link: probe.tunnel, source: tunnel?.definition.addresses.first?.local)
        let id = checkpoint.id
        return prober.ask(question) { [weak self] in
            self?.onWriter { $0.probeAnswered(id) }
        }
    }

    private func probeAnswered(_ id: CheckpointID) {
        guard let pending, pending.checkpoint.id == id, !isStopped else { return }
        do throws(CheckpointRefusal) {
            _ = try confirm(pending, by: nil)
        } catch {
            logger.error("not confirmed", metadata: ["checkpoint": "\(id)", "error": "\(error)"])
        }
    }
}
