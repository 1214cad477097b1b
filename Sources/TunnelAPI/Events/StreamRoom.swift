internal import Synchronization

/// Whether a stream isn't known to be full.
final class StreamRoom: Sendable {
    private let isThere = Atomic(true)

    var now: Bool { isThere.load(ordering: .acquiring) }
    func set(_ value: Bool) { isThere.store(value, ordering: .releasing) }
}
