import Dispatch
import GRDB
import Logging
import ModelHost
import Synchronization
import Testing
import Tunnels

@testable import Reconciler
@testable import TunnelStore

/// A reconciler with its real store, a fake kernel, and time that the test moves.
struct Daemon {
    let plane: FakeDataPlane
    let time: ManualTime
    let store: TunnelStore
    let reconciler: Reconciler
    /// nil unless it was prepared.
    let sampler: Sampler?

    /// - Parameters:
    ///   - host: what the kernel has when the daemon starts.
    ///   - prepare: makes a sampler before that.
    init(
        store: TunnelStore? = nil, host: ModelHost = ModelHost(), plane: FakeDataPlane = FakeDataPlane(),
        limits: Reconciler.Limits = .init(), time: ManualTime = ManualTime(), prober: Prober = .silent,
        prepare: (Reconciler) async -> Sampler? = { _ in nil }
    ) async throws {
        self.time = time
        plane.edit { $0.host = host }
        self.plane = plane
        self.store = try store ?? TunnelStore.inMemory()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        reconciler = Reconciler(
            store: self.store, plane: plane, limits: limits.withOneSettling, timing: time.timing,
            prober: prober, logger: logger)
        sampler = await prepare(reconciler)
        try await reconciler.start()
    }

    // MARK: - Writing

    typealias Answer = Result<WriteOutcome, WriteRefusal>

    @discardableResult
    func write(
        _ change: Write.Change, if precondition: Write.Precondition? = nil, isAsynchronous: Bool = false,
        mayBlock: Bool = false
    ) async -> Answer {
        await submit(
            Write(change, precondition: precondition, author: "test", isAsynchronous: isAsynchronous),
            mayBlock: mayBlock)
    }

    func submit(_ write: Write, mayBlock: Bool = false) async -> Answer {
        await withCheckedContinuation { continuation in
            reconciler.submit(write, mayBlock: mayBlock) { continuation.resume(returning: $0) }
        }
    }

    @discardableResult
    func apply(
        _ definitions: [TunnelDefinition], prune: Bool = false, scope: TunnelSet.Scope? = nil,
        if revisions: [Int64]? = nil,
        isDryRun: Bool = false
    ) async -> Result<ApplyOutcome, WriteRefusal> {
        let set = TunnelSet(definitions.map { TunnelSet.Item($0) }, scope: scope, isPruning: prune)
        return await apply(Apply(set, revisions: revisions, author: "test", isDryRun: isDryRun))
    }

    func apply(_ apply: Apply) async -> Result<ApplyOutcome, WriteRefusal> {
        await withCheckedContinuation { continuation in
            reconciler.apply(apply) { continuation.resume(returning: $0) }
        }
    }

    /// Hands in writes while the writer is busy, so that they wait together.
    @discardableResult
    func together(_ changes: [Write.Change], isAsynchronous: Bool = false) async -> [Answer] {
        let gate = DispatchSemaphore(value: 0)
        reconciler.writer.async { gate.wait() }
        return await withCheckedContinuation { continuation in
            let answers = Answers(count: changes.count) { continuation.resume(returning: $0) }
            for (position, change) in changes.enumerated() {
                let write = Write(change, author: "test", isAsynchronous: isAsynchronous)
                reconciler.submit(write) { answers.take($0, at: position) }
            }
            gate.signal()
        }
    }

    // MARK: - Time

    /// Waits until the writer has done what it has.
    func drain() async {
        await withCheckedContinuation { continuation in
            reconciler.writer.async { continuation.resume() }
        }
    }

    /// Moves time on, timer by timer, and lets the writer finish after each.
    func advance(by duration: Duration = .zero) async {
        let end = time.uptime + duration
        await drain()
        for _ in 0..<10_000 {
            guard time.step(upTo: end) else { break }
            await drain()
        }
        time.move(to: end)
    }

    /// As the kernel's monitor does after somebody's change; then the settling time passes.
    func kernelChanged(settling: Duration = .milliseconds(200)) async {
        reconciler.kernelChanged()
        await advance(by: settling)
    }

    // MARK: - Reading

    func view(_ name: String) throws -> TunnelView? {
        reconciler.directory.view(.name(try InterfaceName(name)))
    }

    func status(_ name: String) throws -> TunnelStatus {
        try #require(try view(name)).status
    }

    func link(_ name: String) -> ObservedLink? { plane.host.link(named: name) }

    /// The kinds of all events, in order.
    func events() throws -> [Event.Kind] {
        try store.events(after: 0, limit: 10_000).map(\.event.kind)
    }

    /// Database, directory and kernel have the same tunnels, and nothing of ours is left beside them.
    func expectAgreement(_ location: SourceLocation = #_sourceLocation) throws {
        let stored = try store.tunnels()
        let shown = reconciler.directory.views.map(\.tunnel)
        #expect(shown.map(\.name) == shown.map(\.name).sorted(), sourceLocation: location)
        #expect(shown.sorted { $0.id.text < $1.id.text } == stored, sourceLocation: location)
        let observed = plane.host.observed(for: stored)
        #expect(prune(observed, keeping: Set(stored.map(\.id))) == [], sourceLocation: location)
        for tunnel in stored {
            #expect(
                try plan(for: tunnel, in: observed).differences == [], "\(tunnel.name)",
                sourceLocation: location)
            let status = reconciler.directory.view(.id(tunnel.id))?.status
            let link = observed.link(of: tunnel.id)
            #expect(status?.state == (tunnel.definition.enabled ? .up : .down), sourceLocation: location)
            #expect(status?.ifindex == link?.ifindex, sourceLocation: location)
            #expect(status?.mtu == link?.mtu, sourceLocation: location)
            #expect(status?.problem == nil, sourceLocation: location)
        }
    }
}

/// Collects the answers of several writes.
private final class Answers: Sendable {
    private let state: Mutex<(answers: [Daemon.Answer?], open: Int)>
    private let done: @Sendable ([Daemon.Answer]) -> Void

    init(count: Int, done: @escaping @Sendable ([Daemon.Answer]) -> Void) {
        state = Mutex((Array(repeating: nil, count: count), count))
        self.done = done
    }

    func take(_ answer: Daemon.Answer, at position: Int) {
        let all: [Daemon.Answer]? = state.withLock { state in
            state.answers[position] = answer
            state.open -= 1
            return state.open == 0 ? state.answers.compactMap { $0 } : nil
        }
        if let all { done(all) }
    }
}

// MARK: - Samples

func name(_ text: String) throws -> InterfaceName { try InterfaceName(text) }

func address(_ text: String) throws -> InterfaceAddress { try #require(InterfaceAddress(text)) }

func route(_ text: String, metric: UInt32 = 0) throws -> TunnelRoute {
    TunnelRoute(to: try IPv4Prefix(parsing: text), metric: metric)
}

/// The definition of `tun_<number>`, like no other number's.
func definition(
    _ number: Int, _ edit: (inout TunnelDefinition) throws -> Void = { _ in }
) throws -> TunnelDefinition {
    var definition = TunnelDefinition(
        name: try name("tun_\(number)"), remote: IPv4Address(bits: 0xAC10_0000 + UInt32(number)))
    definition.addresses = [
        InterfaceAddress(local: IPv4Address(bits: 0xC0A8_0000 + UInt32(number)), prefixLength: 32)
    ]
    definition.routes = [
        TunnelRoute(
            to: IPv4Prefix(containing: IPv4Address(bits: 0x0A00_0000 + UInt32(number) << 8), length: 24))
    ]
    try edit(&definition)
    return definition
}

extension Daemon.Answer {
    var view: TunnelView? {
        switch self {
        case .success(.created(let view)), .success(.changed(let view)), .success(.unchanged(let view)): view
        default: nil
        }
    }

    /// `created`, `changed`, `unchanged`, `deleted` or why not.
    var word: String {
        switch self {
        case .success(.created): "created"
        case .success(.changed): "changed"
        case .success(.unchanged): "unchanged"
        case .success(.deleted): "deleted"
        case .failure(let refusal): refusal.word
        }
    }
}

extension Result<ApplyOutcome, WriteRefusal> {
    /// The actions in their order, or why not.
    var words: String {
        switch self {
        case .success(let outcome): outcome.items.map(\.action.rawValue).joined(separator: " ")
        case .failure(let refusal): refusal.word
        }
    }
}

extension WriteRefusal {
    var word: String {
        switch self {
        case .invalid: "invalid"
        case .notFound: "not found"
        case .preconditionFailed(let current): "precondition: \(current.map { "\($0)" } ?? "none")"
        case .taken(let what, let holder, _, let pointer): "\(what.rawValue) by \(holder) \(pointer)"
        case .linkNotFound(let name): "no link \(name)"
        case .notAdoptable(let name, let notes): "\(name) not adoptable: \(notes.map(\.field).joined(separator: " "))"
        case .unmanageUnsupported: "unmanage unsupported"
        case .host(let problem): "host: \(problem.code.rawValue)"
        case .items(let items): "items: \(items.map { "\($0.position ?? -1) \($0.name)" }.joined(separator: ", "))"
        case .conflicts(let conflicts): "conflicts: \(conflicts.map(\.pointer).joined(separator: ", "))"
        case .setChanged(let current): "set: \(current)"
        case .checkpointPending: "pending"
        case .storage(let error): "storage: \(error.code)"
        case .tooManyTunnels(let limit): "too many: \(limit)"
        case .overloaded: "overloaded"
        case .stopping: "stopping"
        }
    }
}

extension Reconciler.Limits {
    /// The same pause before a look whether we wrote before or not, so that a test needn't count with both.
    fileprivate var withOneSettling: Self {
        var limits = self
        limits.settlingAfterWrites = limits.settling
        return limits
    }
}
