public import Tunnels

public actor Reconciler {
    private let writer = WriterQueue()

    public nonisolated var unownedExecutor: UnownedSerialExecutor { writer.asUnownedSerialExecutor() }

    public init() {}

    /// Hands a write to the one writer. Returns at once; `completion` is called on the writer's thread.
    public nonisolated func submit(
        _ write: Write, completion: @escaping @Sendable (Result<WriteOutcome, WriteRefusal>) -> Void
    ) {
        completion(.failure(.stopping))
    }

    /// The published view of a tunnel; never waits for a write.
    public nonisolated func tunnel(_ key: TunnelKey) -> TunnelView? { nil }

    /// At most `limit` views whose names follow `name` and that `matches` accepts, by name, and whether more follow.
    public nonisolated func tunnels(
        after name: InterfaceName?, limit: Int, where matches: (TunnelView) -> Bool
    ) -> (views: [TunnelView], more: Bool) { ([], false) }
}
