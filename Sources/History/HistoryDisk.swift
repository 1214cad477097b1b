internal import Dispatch
internal import GRDB
internal import Logging
internal import Synchronization
internal import Tunnels

/// The file, and the queue on which it is written. Whatever becomes of it, history goes on in memory.
final class HistoryDisk: Sendable {
    private struct State {
        /// nil while it can't be had.
        var file: HistoryFile?
        /// Told in the log, and not well since.
        var isFailing = false
        var failures = 0
    }

    private let path: String
    private let budget: Int
    private let logger: Logger
    private let queue = DispatchQueue(label: "tunneld.history", qos: .utility)
    private let state = Mutex(State())

    init(path: String, budget: Int, logger: Logger) {
        (self.path, self.budget, self.logger) = (path, budget, logger)
        _ = attempt { _ in }
    }

    var bytes: Int { file?.state.withLock { $0.bytes } ?? 0 }
    var failures: Int { state.withLock { $0.failures } }
    private var file: HistoryFile? { state.withLock { $0.file } }

    func span(_ resolution: Resolution, now: Int64) -> Range<Int64>? {
        resolution == .second ? nil : file?.span(resolution, now: now)
    }

    /// Reads, where there is a file. What fails is logged, and what was read before it counts.
    func read(_ body: (HistoryFile) throws -> Void) {
        guard let file else { return }
        do { try body(file) } catch {
            note(error)
            if let reason = Unusable(error) { queue.async { [self] in renew(file, because: reason) } }
        }
    }

    /// Waits until all is done that was asked for.
    func wait() { queue.sync {} }

    // MARK: On the queue

    /// Puts the blocks that are at hand into memory, as a start and a clock that was set leave it without them.
    ///
    /// - Parameter now: seconds since 1970.
    func load(into memory: HistoryMemory, now: Int64, isGone: @escaping @Sendable (TunnelID) -> Bool) {
        queue.async { [self] in
            _ = attempt { file in
                for resolution in Resolution.stored {
                    let block = now.floorDivided(by: resolution.blockSeconds)
                    var codes = Array(repeating: [UInt16](), count: resolution.blockPlaces)
                    try file.load(block, resolution) { id, found in
                        guard !isGone(id), let slot = memory.slot(of: id, now: now) else { return }
                        for place in codes.indices { codes[place].put(found, place: place, slot: slot) }
                    }
                    memory.insert(codes, of: block, resolution, now: now)
                }
            }
        }
    }

    /// Writes what isn't on disk yet.
    func flush(
        _ memory: HistoryMemory, isGone: @escaping @Sendable (TunnelID) -> Bool, purging: Bool, now: Int64
    ) {
        queue.async { [self] in
            let unwritten = memory.frames.withLock { $0.takeUnwritten() }
            let isWritten = attempt { file in
                try file.write(unwritten, isGone: isGone, now: now)
                if purging { try file.purge() }
            }
            if !isWritten { memory.frames.withLock { $0.putBack(unwritten) } }
        }
    }

    /// Leaves one file, when all is done that was asked for.
    func close() {
        queue.sync { _ = attempt { try $0.checkpoint() } }
    }

    /// - Returns: whether it went well.
    private func attempt(_ body: (HistoryFile) throws -> Void) -> Bool {
        do {
            try body(try opened())
            let wasFailing = state.withLock { state in
                defer { state.isFailing = false }
                return state.isFailing
            }
            if wasFailing { logger.notice("history is stored again", metadata: ["file": "\(path)"]) }
            return true
        } catch {
            note(error)
            if let file, let reason = Unusable(error) { renew(file, because: reason) }
            // More than was reckoned with, or the disk is full: less is kept from now on.
            if let file, case DatabaseError.SQLITE_FULL = error { try? file.makeRoom() }
            return false
        }
    }

    private func opened() throws -> HistoryFile {
        if let file { return file }
        let file: HistoryFile
        do { file = try HistoryFile(path: path, budget: budget) } catch {
            guard let reason = Unusable(error) else { throw error }
            try clear(because: reason)
            file = try HistoryFile(path: path, budget: budget)
        }
        state.withLock { $0.file = file }
        return file
    }

    private func renew(_ broken: HistoryFile, because reason: Unusable) {
        guard file === broken else { return }
        state.withLock { $0.file = nil }
        do {
            try clear(because: reason)
            _ = try opened()
        } catch {
            note(error)
        }
    }

    private func clear(because reason: Unusable) throws {
        let done = try HistoryFile.clear(path, because: reason)
        logger.warning(
            "history begins anew", metadata: ["file": "\(path)", "reason": "\(reason)", "former_file": "\(done)"])
    }

    private func note(_ error: any Error) {
        let isNews = state.withLock { state in
            defer { state.isFailing = true }
            state.failures += 1
            return !state.isFailing
        }
        guard isNews else { return }
        logger.warning(
            "history can't be stored; it goes on in memory", metadata: ["file": "\(path)", "error": "\(error)"])
    }
}

extension [UInt16] {
    /// Puts a slot's codes of one place into those of a frame.
    fileprivate mutating func put(_ found: [UInt16], place: Int, slot: Int) {
        let end = (slot + 1) * Lane.count
        if end > count { append(contentsOf: repeatElement(PackedRate.nothing, count: end - count)) }
        for lane in 0..<Lane.count { self[slot * Lane.count + lane] = found[place * Lane.count + lane] }
    }
}
