internal import Synchronization
public import TunnelStore
public import Tunnels

/// The checkpoints as readers see them: the pending one and the latest that have ended. Readers never wait for the
/// writer or the database.
public final class Checkpoints: Sendable {
    /// How many that have ended are kept, here and in the database.
    public static let endedKept = 200

    /// Newest first.
    private let state = Mutex<[Checkpoint]>([])

    init() {}

    /// The latest, newest first.
    public func latest(_ count: Int) -> [Checkpoint] {
        state.withLock { Array($0.prefix(count)) }
    }

    public subscript(id: CheckpointID) -> Checkpoint? {
        state.withLock { checkpoints in checkpoints.first { $0.id == id } }
    }

    func load(_ checkpoints: [Checkpoint]) {
        state.withLock { $0 = checkpoints }
    }

    /// Shows a checkpoint as it is now.
    func publish(_ checkpoint: Checkpoint) {
        state.withLock { checkpoints in
            if let position = checkpoints.firstIndex(where: { $0.id == checkpoint.id }) {
                checkpoints[position] = checkpoint
            } else {
                checkpoints.insert(checkpoint, at: 0)
                // The pending one is the newest, so it is never the one that goes.
                checkpoints = Array(checkpoints.prefix(Self.endedKept + 1))
            }
        }
    }
}
