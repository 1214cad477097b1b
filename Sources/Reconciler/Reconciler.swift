public import Logging
internal import Synchronization
public import TunnelStore
public import Tunnels

/// Keeps the kernel equal to the database. The one writer of both: client's writes, repairs and pruning all happen
/// here, one after another, so none of them sees the other half-done.
public actor Reconciler {
    /// What readers see; never behind a write that was answered.
    public nonisolated let directory = Directory()
    public nonisolated let counters = ReconcilerCounters()
    public nonisolated let moduleLoads = ModuleLoads()
    public nonisolated let checkpoints = Checkpoints()

    /// Whether the last look could read the kernel: without that nothing is repaired.
    public nonisolated var canReadKernel: Bool { readsKernel.load(ordering: .relaxed) }

    nonisolated let readsKernel = Atomic(true)
    nonisolated let writer = Writer()
    nonisolated let inbox = Inbox()
    nonisolated let limits: Limits
    nonisolated let timing: Timing
    nonisolated let prober: Prober
    nonisolated let logger: Logger

    let store: TunnelStore
    let plane: any DataPlane
    var managed = ManagedTunnels()
    /// After how long the next look was asked for; nil where none is.
    private var dueLook: Duration?
    /// How many were asked for; the last is the one that comes.
    private var scheduledLooks = 0
    /// Whether writes were stored that the kernel wasn't asked for yet.
    var isBehind = false
    var isStopped = false
    /// Whether there was a batch since the last look.
    var hasWritten = false
    /// Whether answers were kept since the last pruning.
    var hasKeptAnswers = true
    private var pace = BatchPace()
    /// Rows of the ledger of drift that the next transaction of a look writes.
    var unwritten = UnwrittenDrift()
    /// What the kernel told of others' changes until the last look.
    var earlierNotes: (notes: [ChangeNote], at: Duration) = ([], .zero)
    /// Tunnels in the journal of unfinished changes.
    var unfinished: Set<TunnelID> = []
    /// Whether the kernel was ever read.
    var hasSeenKernel = false
    /// How many there were: the next one's number.
    var suspensions = 0
    /// While a checkpoint is pending no definition follows what others change.
    var holdsAdoption = false {
        didSet { if !holdsAdoption { scheduleLook(after: .zero) } }
    }
    /// When the batch at hand began: the time of all that it does.
    var batchTime = Timestamp(milliseconds: 0)
    /// The id of the tunnel that this batch made last; the next one's follows it.
    var latestID: TunnelID?
    /// For ids.
    var random = RandomPool()
    /// What is to be published together; nil where each is by itself.
    private var publication: Publication?
    /// Until it is confirmed or reverted, nothing else is written.
    var pending: PendingCheckpoint?
    /// Whose totals are stored.
    var sampler: Sampler?
    /// Whether they could be, the last time.
    var savesTotals = true
    /// Asks the kernel's monitor to tell of the next change.
    var armMonitor: @Sendable () -> Void = {}

    /// Bounds on what the daemon holds.
    public struct Limits: Sendable {
        public var tunnels = 20_000
        /// Writes that share one transaction and one batch of netlink messages.
        public var writesInBatch = 256
        /// Between the kernel's first word of a change and the look at it; changes come in bursts.
        public var settling = Duration.milliseconds(200)
        /// The same while we write ourselves: most of what changes then is our own doing.
        public var settlingAfterWrites = Duration.milliseconds(500)
        /// Between two looks when nobody tells of a change.
        public var slowTick = Duration.seconds(30)
        /// Between two times that totals are stored.
        public var totals = Duration.seconds(60)
        /// Events kept.
        public var history = 200_000
        /// Answers kept for retries, and bytes of their bodies.
        public var answers = 10_000
        public var answerBytes = 64 << 20
        /// Rows of the ledger of drift kept.
        public var drifts = 100_000

        public init() {}
    }

    public nonisolated var unownedExecutor: UnownedSerialExecutor { writer.asUnownedSerialExecutor() }

    /// - Parameters:
    ///   - plane: belongs to the reconciler from now on.
    ///   - prober: confirms changes for which a client says who must answer.
    public init(
        store: TunnelStore, plane: sending any DataPlane, limits: Limits = Limits(), timing: Timing = .system,
        prober: Prober = .silent, logger: Logger
    ) {
        self.store = store
        self.plane = plane
        self.limits = limits
        self.timing = timing
        self.prober = prober
        self.logger = logger
    }

    /// Loads the tunnels, makes the kernel match, and goes on to keep it so. Ready when it returns.
    ///
    /// - Parameter armMonitor: called before each look; must make the monitor call `kernelChanged()` once at the
    ///   next change.
    public func start(armMonitor: @escaping @Sendable () -> Void = {}) throws(StoreError) {
        let began = timing.uptime()
        self.armMonitor = armMonitor
        let epochs = try store.epochs()
        let count = try store.tunnelCount()
        managed.reserve(count)
        directory.reserve(count)
        let upkeep = Managed.Upkeep(hasHadLink: true, isEstablished: true)
        try store.forEachTunnel { tunnel in
            var status = TunnelStatus(state: .pending, dataPlane: plane.kind)
            status.epoch = epochs[tunnel.id] ?? 1
            managed[tunnel.id] = Managed(tunnel: tunnel, status: status, upkeep: upkeep)
        }
        try restoreDrifts()
        try restoreUnfinished()
        try restoreTotals()
        try firstLook()
        // Those that the look left as they were; nobody asked before.
        for entry in managed.values where directory.view(.id(entry.tunnel.id)) == nil { settle(entry) }
        publishRevision()
        let microseconds = Int((timing.uptime() - began).seconds * 1e6)
        counters.startMicroseconds.store(microseconds, ordering: .relaxed)
        logger.notice("started", metadata: ["tunnels": "\(managed.count)", "microseconds": "\(microseconds)"])
        scheduleTick()
    }

    /// Finishes the batch at hand, stores the totals as they are now and refuses all further writes. The links stay.
    public func stop() {
        if !isStopped {
            countBeforeEnd()
            saveTotals()
        }
        isStopped = true
        inbox.close()
        pending?.endProbe()
        for pending in inbox.takeAll() { pending.refuse(.stopping) }
    }

    /// Hands a write to the writer. Returns at once, unless it may block; `completion` is called by the writer.
    ///
    /// - Parameter mayBlock: for a client alone, whose thread nobody else waits for: that thread carries the write out before
    ///   this returns, when the writer has nothing else to do.
    public nonisolated func submit(
        _ write: Write, mayBlock: Bool = false,
        completion: @escaping @Sendable (Result<WriteOutcome, WriteRefusal>) -> Void
    ) {
        submit(.write(PendingWrite(write: write, completion: completion)), mayBlock: mayBlock)
    }

    /// Hands in work that the writer does in its turn, with no other in its batch.
    nonisolated func submit(_ work: LoneWork) {
        submit(.alone(work), mayBlock: false)
    }

    private nonisolated func submit(_ pending: Pending, mayBlock: Bool) {
        do throws(WriteRefusal) {
            guard try inbox.add(pending) else { return }
            if mayBlock, writer.runHere({ self.assumeIsolated { $0.carryOutWaiting(isAlone: true) } }) { return }
            wakeWriter()
        } catch {
            pending.refuse(error)
        }
    }

    /// Tells that the kernel's links, addresses or routes changed, by whoever's hand.
    public nonisolated func kernelChanged() {
        onWriter { $0.scheduleLookAtChange() }
    }

    private nonisolated func wakeWriter() {
        onWriter { $0.carryOutWaiting() }
    }

    /// Has the writer do `work`, in order with everything else there.
    nonisolated func onWriter(_ work: @escaping @Sendable (isolated Reconciler) -> Void) {
        writer.async { self.assumeIsolated(work) }
    }

    /// One batch at a time, so that a look can come between two.
    ///
    /// - Parameter isAlone: whether there is one client, so that no other is waited for.
    private func carryOutWaiting(isAlone: Bool = false) {
        if !isAlone, pace.expected > 1 { inbox.wait(for: pace.expected, pause: pace.pause) }
        let waiting = inbox.takeAll()
        defer { if inbox.needsWriter() { wakeWriter() } }
        guard !waiting.isEmpty else { return }
        defer { hasWritten = true }
        if case .alone(let work)? = waiting.first {
            inbox.putBack(waiting.dropFirst())
            return work.run(self)
        }
        let writes = waiting.prefix(limits.writesInBatch).prefixOfWrites
        let size = independentCount(of: writes)
        inbox.putBack(waiting[size...])
        logger.debug("batch", metadata: ["writes": "\(size)", "awaited": "\(pace.expected)"])
        if size == 1, pace.expected == 1 {
            carryOut(Array(writes[..<size]))
        } else {
            let began = timing.uptime()
            carryOut(Array(writes[..<size]))
            pace.learn(found: size, took: timing.uptime() - began, limit: limits.writesInBatch)
        }
    }

    private func scheduleLookAtChange() {
        scheduleLook(after: hasWritten ? limits.settlingAfterWrites : limits.settling)
    }

    /// A look that is due later doesn't stand in the way of one that is due at once.
    func scheduleLook(after delay: Duration) {
        guard !isStopped, dueLook.map({ delay < $0 }) ?? true else { return }
        dueLook = delay
        scheduledLooks += 1
        let number = scheduledLooks
        timing.after(delay) {
            self.onWriter { reconciler in
                // One that was overtaken has nothing to see: it must not take the next one's turn.
                guard number == reconciler.scheduledLooks, reconciler.dueLook != nil, !reconciler.isStopped else {
                    return
                }
                reconciler.dueLook = nil
                reconciler.look()
            }
        }
    }

    private func scheduleTick() {
        guard !isStopped else { return }
        timing.after(limits.slowTick) {
            self.onWriter { reconciler in
                reconciler.pruneHistory()
                reconciler.pruneAnswers()
                reconciler.plane.forget()
                reconciler.scheduleLook(after: .zero)
                reconciler.scheduleTick()
            }
        }
    }

    private func pruneHistory() {
        do {
            try store.pruneEvents(keeping: limits.history)
            try store.pruneDrifts(keeping: limits.drifts)
            try store.pruneCheckpoints(keeping: Checkpoints.endedKept)
        } catch {
            logger.error("history not pruned", metadata: ["error": "\(error)"])
        }
    }

    /// Keeps and publishes what became of a tunnel.
    func settle(_ entry: Managed) {
        managed[entry.tunnel.id] = entry
        guard let view = managed.view(entry.tunnel.id) else { return }
        if publication == nil { directory.publish(view) } else { publication?.views[entry.tunnel.id] = view }
    }

    /// Forgets a tunnel that was deleted.
    func remove(_ id: TunnelID) {
        managed[id] = nil
        if publication == nil { directory.remove(id) } else { publication?.removed.insert(id) }
    }

    /// Publishes together what `body` settles and removes.
    func publishingTogether(_ body: () -> Void) {
        publication = Publication()
        body()
        if let publication { directory.publish(publication) }
        publication = nil
    }

    /// Shows readers the set's revision; to be called when all that it covers is published.
    func publishRevision() {
        directory.note(revision: store.setRevision)
    }
}

extension Collection<Pending> {
    /// The writes in front of the first that goes alone.
    fileprivate var prefixOfWrites: [PendingWrite] {
        var writes: [PendingWrite] = []
        for case .write(let pending) in self.prefix(while: { if case .write = $0 { true } else { false } }) {
            writes.append(pending)
        }
        return writes
    }
}
