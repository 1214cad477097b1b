internal import Netlink
internal import Synchronization
internal import Tunnels

/// Knows what may have changed on the host since it was last looked at. The monitor marks it, the data plane takes the
/// marks; both have the same one.
public final class HostWatch: Sendable {
    private let underlay = Atomic(true)
    private let filters = Atomic(true)
    private let noting: Mutex<NoteTaking>
    private let source = Mutex(Source())

    /// A structure, because a closure that is the mutex's value itself gets a thunk around it with each access.
    private struct Source {
        /// Takes in what the kernel has told and nobody has read yet.
        var catchUp: (@Sendable () -> Void)?
    }

    public init() {
        noting = Mutex(NoteTaking())
    }

    /// Links other than ours lead to remotes. A link that goes down takes its routes away without a word, so each
    /// event of such a link counts.
    ///
    /// - Parameter processes: those that may have asked for the changes.
    /// - Returns: whether some are known to be ours.
    func mark(_ changes: Changes, by processes: Processes) -> Bool {
        if changes.overflowed || changes.events.contains(where: { $0.isUnderlay }) {
            underlay.store(true, ordering: .relaxed)
        }
        if changes.overflowed || changes.events.contains(where: \.isOfFilters) {
            filters.store(true, ordering: .relaxed)
        }
        return noting.withLock { noting in
            noting.take(changes, by: processes)
            return changes.events.contains { noting.ownPorts.contains($0.sender) }
        }
    }

    /// Changes that are asked for by this socket aren't noted: they are ours.
    public func leaveOut(sender port: UInt32) {
        noting.withLock { _ = $0.ownPorts.insert(port) }
    }

    /// The monitor's way to take in what waits for it.
    func onTaking(_ catchUp: @escaping @Sendable () -> Void) {
        source.withLock { $0.catchUp = catchUp }
    }

    /// What others changed since the last call. The kernel tells of a change before it shows it, so all that was seen
    /// until now is among it, unless too much was told.
    func takeNotes() -> [ChangeNote] {
        source.withLock { $0.catchUp }?()
        return noting.withLock { $0.takeNotes() }
    }

    /// Whether the ways towards remotes may have changed.
    func takeUnderlay() -> Bool { underlay.exchange(false, ordering: .relaxed) }

    /// Whether qdiscs or filters may have changed.
    package func takeFilters() -> Bool { filters.exchange(false, ordering: .relaxed) }
}

extension Changes.Event {
    fileprivate var isUnderlay: Bool { !isTrafficControl && interface < KernelDataPlane.firstIndex }
    /// A link that goes, to another network namespace too, takes its filters along without a word; it may be back by now.
    fileprivate var isOfFilters: Bool { isTrafficControl || kind == .linkRemoved && isUnderlay }
}
