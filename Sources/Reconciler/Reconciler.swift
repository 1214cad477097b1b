public import Dispatch
public import Logging
public import TunnelStore
public import Tunnels

/// Keeps the kernel equal to the database. The one writer of both: client's writes, repairs and pruning all happen
/// here, one after another, so none of them sees the other half-done.
public actor Reconciler {
    /// What readers see; never behind a write that was answered.
    public nonisolated let directory = Directory()
    public nonisolated let counters = ReconcilerCounters()
    public nonisolated let moduleLoads = ModuleLoads()

    nonisolated let writer = WriterThread()
    nonisolated let inbox = Inbox()
    nonisolated let limits: Limits
    nonisolated let timing: Timing
    nonisolated let logger: Logger

    let store: TunnelStore
    let plane: any DataPlane
    var managed: [TunnelID: Managed] = [:]
    var isLookScheduled = false
    /// Whether writes were stored that the kernel wasn't asked for yet.
    var isBehind = false
    var isStopped = false
    /// How many writes shared the last batch.
    private var company = 1
    /// Asks the kernel's monitor to tell of the next change.
    var armMonitor: @Sendable () -> Void = {}

    /// Bounds on what the daemon holds.
    public struct Limits: Sendable {
        public var tunnels = 20_000
        /// Writes that share one transaction and one batch of netlink messages.
        public var writesInBatch = 256
        /// How long the writer waits for each further write of clients that wrote together before.
        public var companyPause = DispatchTimeInterval.milliseconds(1)
        /// Between the kernel's first word of a change and the look at it; changes come in bursts.
        public var settling = Duration.milliseconds(200)
        /// Between two looks when nobody tells of a change.
        public var slowTick = Duration.seconds(30)
        /// Events and audit rows kept.
        public var history = 100_000

        public init() {}
    }

    /// What the writer knows of a tunnel.
    struct Managed {
        var tunnel: Tunnel
        var status: TunnelStatus
        var backoff = Backoff()
        /// A tunnel that failed isn't tried again for a while.
        var isBackingOff = false
        /// Whether it has had a link, maybe before the daemon's start: another one then begins an epoch.
        var hasHadLink = false
    }

    public nonisolated var unownedExecutor: UnownedSerialExecutor { writer.asUnownedSerialExecutor() }

    /// - Parameter plane: belongs to the reconciler from now on.
    public init(
        store: TunnelStore, plane: sending any DataPlane, limits: Limits = Limits(), timing: Timing = .system,
        logger: Logger
    ) {
        self.store = store
        self.plane = plane
        self.limits = limits
        self.timing = timing
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
        for tunnel in try store.tunnels() {
            var status = TunnelStatus(state: .pending, dataPlane: plane.kind)
            status.epoch = epochs[tunnel.id] ?? 1
            settle(Managed(tunnel: tunnel, status: status, hasHadLink: true))
        }
        look()
        let microseconds = Int((timing.uptime() - began).seconds * 1e6)
        logger.notice("started", metadata: ["tunnels": "\(managed.count)", "microseconds": "\(microseconds)"])
        scheduleTick()
    }

    /// Finishes the batch at hand and refuses all further writes. The links stay.
    public func stop() {
        isStopped = true
        inbox.close()
        for pending in inbox.takeAll() { pending.completion(.failure(.stopping)) }
    }

    /// Hands a write to the writer. Returns at once; `completion` is called on the writer's thread.
    public nonisolated func submit(
        _ write: Write, completion: @escaping @Sendable (Result<WriteOutcome, WriteRefusal>) -> Void
    ) {
        do throws(WriteRefusal) {
            if try inbox.add(PendingWrite(write: write, completion: completion)) { wakeWriter() }
        } catch {
            completion(.failure(error))
        }
    }

    /// Tells that the kernel's links, addresses or routes changed, by whoever's hand.
    public nonisolated func kernelChanged() {
        writer.async { self.assumeIsolated { $0.scheduleLook(after: $0.limits.settling) } }
    }

    private nonisolated func wakeWriter() {
        writer.async { self.assumeIsolated { $0.carryOutWaiting() } }
    }

    /// One batch at a time, so that a look can come between two.
    ///
    /// Clients that wrote together will write again about now: waiting a moment for all of them makes one large batch
    /// out of many small ones, and a batch costs one flush of the disk. A client alone never waits.
    private func carryOutWaiting() {
        if company > 1 { inbox.wait(for: company, pause: limits.companyPause) }
        let waiting = inbox.takeAll()
        guard !waiting.isEmpty else { return }
        let size = independentCount(of: waiting)
        company = size
        inbox.putBack(waiting[size...])
        carryOut(Array(waiting[..<size]))
        wakeWriter()
    }

    func scheduleLook(after delay: Duration) {
        guard !isLookScheduled, !isStopped else { return }
        isLookScheduled = true
        timing.after(delay) {
            self.writer.async {
                self.assumeIsolated { reconciler in
                    reconciler.isLookScheduled = false
                    if !reconciler.isStopped { reconciler.look() }
                }
            }
        }
    }

    private func scheduleTick() {
        guard !isStopped else { return }
        timing.after(limits.slowTick) {
            self.writer.async {
                self.assumeIsolated { reconciler in
                    reconciler.pruneHistory()
                    reconciler.plane.forget()
                    reconciler.scheduleLook(after: .zero)
                    reconciler.scheduleTick()
                }
            }
        }
    }

    private func pruneHistory() {
        do {
            try store.pruneEvents(keeping: limits.history)
            try store.pruneAudit(keeping: limits.history)
        } catch {
            logger.error("history not pruned", metadata: ["error": "\(error)"])
        }
    }

    /// Keeps and publishes what became of a tunnel.
    func settle(_ entry: Managed) {
        managed[entry.tunnel.id] = entry
        directory.publish(TunnelView(tunnel: entry.tunnel, status: entry.status))
    }
}
