internal import Dispatch
public import Logging
public import Reconciler
internal import Synchronization
package import Tunnels

/// The history of all tunnels' rates, in several resolutions: seconds in memory, coarser ones on disk too.
///
/// It stays within its budgets whatever the number of tunnels, and nobody waits for its disk: what can't be written is
/// lost when memory has no more room for it.
public final class RateHistory: Sendable {
    public struct Budget: Sendable, Equatable {
        /// 0 for no history at all.
        public var memoryBytes = 128 << 20
        /// 0 for none on disk.
        public var diskBytes = 512 << 20

        public init() {}
    }

    /// Samples that tell that there is a block more to write wait so long, until all its frames are made.
    private static let delay: Int64 = 15
    /// A look at all rows, for those of deleted tunnels.
    private static let flushesBetweenPurges = 12

    /// Whether a tunnel is no more.
    private let isGone: @Sendable (TunnelID) -> Bool
    private let logger: Logger
    private let isOn: Bool
    let memory: HistoryMemory
    /// nil where there is none.
    let disk: HistoryDisk?
    private let recording = Mutex(Recording())
    private let latest = Mutex<Sample?>(nil)

    private struct Recording {
        /// The block of ten-second places that the latest sample ended in.
        var block: Int64?
        var flushes = 0
        var hasToldOfLimit = false
    }

    /// - Parameters:
    ///   - directory: knows which tunnels there are.
    ///   - path: of the file. One that can't be used is made anew or, where it can't, done without.
    public convenience init(directory: Directory, path: String, budget: Budget, logger: Logger) {
        self.init(path: path, budget: budget, logger: logger) { directory.view(.id($0)) == nil }
    }

    /// - Parameter isGone: whether a tunnel is no more.
    package init(path: String, budget: Budget, logger: Logger, isGone: @escaping @Sendable (TunnelID) -> Bool) {
        (self.isGone, self.logger) = (isGone, logger)
        isOn = budget.memoryBytes > 0
        let hasDisk = budget.diskBytes > 0 && isOn
        memory = HistoryMemory(budget: budget.memoryBytes, hasDisk: hasDisk)
        disk = hasDisk ? HistoryDisk(path: path, budget: budget.diskBytes, logger: logger) : nil
    }

    /// Bytes that the history takes in memory, counted on the large side.
    public var memoryBytes: Int { memory.frames.withLock { $0.bytes } }
    /// Bytes of its file; 0 where there is none.
    public var diskBytes: Int { disk?.bytes ?? 0 }
    /// How often it couldn't be written or read.
    public var failures: Int { disk?.failures ?? 0 }

    /// Takes in a sample of the ticker; to be called in their order.
    public func record(_ sample: Sample) {
        let former = latest.withLock { latest in
            defer { latest = sample }
            return latest
        }
        // Not the sample's own growth: that may be from another one, which somebody asked for in between, and then what
        // was before that would be missing.
        guard let former else { return }
        let (seconds, growths) = sample.growth(since: former)
        record(until: sample.sampledAt, seconds: seconds, growths)
    }

    /// - Parameters:
    ///   - end: by the wall clock.
    ///   - seconds: what was counted in.
    ///   - growths: nil where it isn't known.
    package func record(
        until end: Timestamp, seconds: Double, _ growths: some Collection<(id: TunnelID, growth: LinkCounters?)>
    ) {
        guard isOn else { return }
        let (isFirst, continuity, leftOut) = memory.frames.withLock { frames in
            let isFirst = frames.recordedUntil == nil
            if frames.slots.taken > growths.count + growths.count / 4 + 64 {
                frames.slots.release(where: isGone)
            }
            let continuity = frames.record(until: end.milliseconds, seconds: seconds, growths)
            return (isFirst, continuity, frames.leftOut)
        }
        if leftOut > 0 { tellOfLimit(leftOut) }
        let now = end.milliseconds.floorDivided(by: 1000)
        if isFirst || continuity == .broken { disk?.load(into: memory, now: now, isGone: isGone) }
        let block = (now - Self.delay).floorDivided(by: Resolution.tenSeconds.blockSeconds)
        let flushes: Int? = recording.withLock { recording in
            defer { recording.block = block }
            guard let former = recording.block, former != block else { return nil }
            recording.flushes += 1
            return recording.flushes
        }
        if let flushes { flush(purging: flushes % Self.flushesBetweenPurges == 1) }
    }

    /// Writes what isn't on disk, in its own time, and forgets the tunnels that are no more.
    package func flush(purging: Bool) {
        let (ids, end) = memory.frames.withLock { ($0.slots.ids, $0.recordedUntil) }
        guard let end else { return }
        let gone = Set(ids.compactMap(\.self).filter(isGone))
        memory.frames.withLock { $0.slots.release { gone.contains($0) } }
        disk?.flush(memory, isGone: isGone, purging: purging, now: end.floorDivided(by: 1000))
    }

    /// Waits until what was to be written is.
    package func settle() { disk?.wait() }

    /// Writes what isn't on disk; returns when that is done.
    public func stop() {
        flush(purging: false)
        disk?.close()
    }

    private func tellOfLimit(_ count: Int) {
        let isNews = recording.withLock { recording in
            defer { recording.hasToldOfLimit = true }
            return !recording.hasToldOfLimit
        }
        guard isNews else { return }
        let limit = memory.frames.withLock { $0.slotLimit }
        logger.warning(
            "history has no room for all tunnels; give it more with --history-memory",
            metadata: ["tunnels": "\(limit)", "left_out": "\(count)"])
    }
}
