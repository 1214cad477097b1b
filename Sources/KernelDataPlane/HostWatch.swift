internal import Netlink
internal import Synchronization

/// Knows what may have changed on the host since it was last looked at. The monitor marks it, the data plane takes the
/// marks; both have the same one.
public final class HostWatch: Sendable {
    private let underlay = Atomic(true)
    private let filters = Atomic(true)

    public init() {}

    /// Links other than ours lead to remotes. A link that goes down takes its routes away without a word, so each
    /// event of such a link counts.
    func mark(_ changes: Changes) {
        if changes.overflowed || changes.events.contains(where: { $0.isUnderlay }) {
            underlay.store(true, ordering: .relaxed)
        }
        if changes.overflowed || changes.events.contains(where: \.isOfFilters) {
            filters.store(true, ordering: .relaxed)
        }
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
