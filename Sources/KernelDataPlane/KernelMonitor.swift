internal import Dispatch
internal import Netlink
internal import Synchronization
public import Tunnels

/// Tells when somebody changes links, addresses or routes: once, until it is armed again. It says only that there
/// is something to look at, so lost events do no harm. Who asked for the changes it notes in the `HostWatch`.
public final class KernelMonitor: Sendable {
    /// Lives as long as the dispatch source that waits for its descriptor.
    private final class Ear: Sendable {
        let fileDescriptor: Int32
        let monitor: Mutex<LinkMonitor>

        init(filters: Bool) throws(NetlinkError) {
            let monitor = try LinkMonitor(trafficControl: filters)
            fileDescriptor = monitor.fileDescriptor
            self.monitor = Mutex(monitor)
        }
    }

    fileprivate struct State {
        /// nil while it doesn't listen.
        var source: (any DispatchSourceRead)?
        /// Whether somebody was told since it was armed.
        var hasTold = false
        var wakesLeft = 0
        var onChange: (@Sendable () -> Void)?
        var onEnd: (@Sendable ([Int32: Tunnels.LinkCounters]) -> Void)?
    }

    /// Whose changes were heard of: ours, where some of them are known to be.
    private enum Heard {
        case ours, others
    }

    private static let wakesBetweenLooks = 32
    /// For as many counts one by our own change, which wakes for nothing.
    private static let wakesByOurselves = 8
    private static let callsToCatchUp = 64

    private let ear: Ear
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "tunneld.monitor")
    private let overflowCounter = Atomic<Int>(0)
    private let eventCounter = Atomic<Int>(0)

    /// How often events were lost.
    public var overflows: Int { overflowCounter.load(ordering: .relaxed) }
    /// How many changes it was told of; those that were alike and came together count once.
    public var events: Int { eventCounter.load(ordering: .relaxed) }

    private let watch: HostWatch
    /// Those of the namespace that it listens in.
    private let processes = Processes()

    /// Listens in the network namespace of the thread that calls, from now on.
    ///
    /// - Parameters:
    ///   - watch: the data plane's.
    ///   - filters: whether it listens for changes of qdiscs and filters too.
    public init(watch: HostWatch, filters: Bool = false) throws(TunnelProblem) {
        self.watch = watch
        do throws(NetlinkError) {
            ear = try Ear(filters: filters)
        } catch {
            throw TunnelProblem(error)
        }
    }

    /// Begins; `onChange` is called on the monitor's queue after `arm()`.
    public func start(onChange: @escaping @Sendable () -> Void) {
        watch.onTaking { [weak self] in self?.catchUp() }
        state.withLock { state in
            state.onChange = onChange
        }
    }

    /// Has `body` told what links had counted when they were removed, by ifindex. It must return quickly.
    public func onEnd(_ body: @escaping @Sendable ([Int32: Tunnels.LinkCounters]) -> Void) {
        state.withLock { $0.onEnd = body }
    }

    /// Each time a source of its own: one that is suspended stays with libdispatch's epoll, and when events are lost
    /// meanwhile, which is an error that can't be masked, that wakes over and over until somebody reads.
    private func listen() -> any DispatchSourceRead {
        let source = DispatchSource.makeReadSource(fileDescriptor: ear.fileDescriptor, queue: queue)
        source.setEventHandler { [weak self] in
            self?.hear()
        }
        source.setCancelHandler { [ear] in withExtendedLifetime(ear) {} }
        source.resume()
        return source
    }

    deinit {
        state.withLock { $0.source?.cancel() }
    }

    /// Takes in what has come, and tells of the next change. The caller looks at everything afterwards.
    public func arm() {
        state.withLock { state in
            while takeIn(calls: LinkMonitor.callsPerRead, state.onEnd) != nil {}
            state.hasTold = false
            state.wakesLeft = Self.wakesBetweenLooks
            if state.source == nil, state.onChange != nil { state.source = listen() }
        }
    }

    /// Takes in the first events at once, for who asked for them may be gone soon. Those of a storm, and of our own
    /// repair, wait for the look.
    private func hear() {
        let tell = state.withLock { state in
            let heard = takeIn(calls: 1, state.onEnd)
            state.wakesLeft -= heard == .ours ? Self.wakesByOurselves : 1
            if state.wakesLeft <= 0 {
                state.source?.cancel()
                state.source = nil
            }
            return heard == nil ? nil : state.telling()
        }
        tell?()
    }

    /// Takes in what waits, and tells of it as if it had been heard.
    private func catchUp() {
        let tell = state.withLock { state in
            takeIn(calls: Self.callsToCatchUp, state.onEnd) == nil ? nil : state.telling()
        }
        tell?()
    }

    /// - Returns: nil where there was nothing.
    private func takeIn(
        calls: Int, _ onEnd: (@Sendable ([Int32: Tunnels.LinkCounters]) -> Void)?
    ) -> Heard? {
        guard let changes = ear.monitor.withLock({ try? $0.read(calls: calls) }), !changes.isEmpty else { return nil }
        let isOurs = watch.mark(changes, by: processes)
        eventCounter.wrappingAdd(changes.events.count, ordering: .relaxed)
        if let onEnd, !changes.ended.isEmpty {
            let ended = changes.ended.map { (Int32(bitPattern: $0), Tunnels.LinkCounters($1)) }
            onEnd(Dictionary(uniqueKeysWithValues: ended))
        }
        if changes.overflowed { overflowCounter.wrappingAdd(1, ordering: .relaxed) }
        return isOurs ? .ours : .others
    }
}

extension KernelMonitor.State {
    /// Whom to tell of a change; nil when that was done since it was armed.
    fileprivate mutating func telling() -> (@Sendable () -> Void)? {
        defer { hasTold = true }
        return hasTold ? nil : onChange
    }
}
