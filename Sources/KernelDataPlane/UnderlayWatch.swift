internal import Netlink
internal import Synchronization

/// Knows whether the ways towards remotes may have changed since they were last looked up. The monitor marks it, the
/// data plane takes the mark; both have the same one.
public final class UnderlayWatch: Sendable {
    private let hasChanged = Atomic(true)

    public init() {}

    /// Links other than ours lead to remotes. A link that goes down takes its routes away without a word, so each
    /// event of such a link counts.
    func mark(_ changes: Changes) {
        if changes.overflowed || changes.events.contains(where: { $0.interface < KernelDataPlane.firstIndex }) {
            hasChanged.store(true, ordering: .relaxed)
        }
    }

    func take() -> Bool {
        hasChanged.exchange(false, ordering: .relaxed)
    }
}
