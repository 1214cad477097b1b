internal import Synchronization

/// How many changes the kernel was asked for since the start: an unchanged host stays at 0.
public final class ChangeCounter: Sendable {
    private let count = Atomic<Int>(0)

    public init() {}

    public var value: Int { count.load(ordering: .relaxed) }

    package func add(_ changes: Int) {
        count.wrappingAdd(changes, ordering: .relaxed)
    }
}
