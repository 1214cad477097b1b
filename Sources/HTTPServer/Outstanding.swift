internal import Synchronization

/// Things that hold a suspended connection: counted, bounded, and found again when the server stops.
final class Outstanding<Item: AnyObject & Sendable>: Sendable {
    private struct State {
        var items: [UInt64: Item] = [:]
        var isClosed = false
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    var count: Int { state.withLock { $0.items.count } }

    enum Refusal: Error { case full, closed }

    func add(_ item: Item, _ id: UInt64) throws(Refusal) {
        try state.withLock { state throws(Refusal) in
            if state.isClosed { throw .closed }
            if state.items.count >= limit { throw .full }
            state.items[id] = item
        }
    }

    func remove(_ id: UInt64) { state.withLock { _ = $0.items.removeValue(forKey: id) } }

    subscript(id: UInt64) -> Item? { state.withLock { $0.items[id] } }

    var all: [Item] { state.withLock { Array($0.items.values) } }

    /// Nothing is added from here on; gives what is left.
    func close() -> [Item] {
        state.withLock { state in
            state.isClosed = true
            return Array(state.items.values)
        }
    }
}
