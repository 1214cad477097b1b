internal import HTTPServer
internal import Synchronization

/// One client's stream of samples. What changes is used by the streams' one queue alone.
final class SampleSubscriber: Sendable {
    private struct State {
        var lastNumber: UInt64 = 0
        var servedAt: Duration
    }

    let id: UInt64
    let stream: ResponseStream
    let room: StreamRoom
    let selection: SampleSelection
    let isCompressed: Bool
    let principal: Principal?
    private let state: Mutex<State>

    init(
        id: UInt64, stream: ResponseStream, room: StreamRoom, selection: SampleSelection, isCompressed: Bool,
        principal: Principal?, at time: Duration
    ) {
        self.id = id
        self.stream = stream
        self.room = room
        self.selection = selection
        self.isCompressed = isCompressed
        self.principal = principal
        state = Mutex(State(servedAt: time))
    }

    /// Of the sample that it was given last.
    var lastNumber: UInt64 { state.withLock { $0.lastNumber } }

    /// When it was last given anything.
    var servedAt: Duration { state.withLock { $0.servedAt } }

    /// Gives it a sample, if it has taken the one before.
    func send(_ frame: [UInt8], number: UInt64, at time: Duration) {
        guard push(frame) else { return }
        state.withLock { $0 = State(lastNumber: number, servedAt: time) }
    }

    func sendKeepAlive() {
        _ = push(isCompressed ? SampleFrame.compressedKeepAlive : SampleFrame.keepAlive)
    }

    private func push(_ bytes: [UInt8]) -> Bool {
        // Before the push: from the moment on that there is no room, it may be told that there is.
        room.set(false)
        guard stream.push(shared: bytes) == .accepted else { return false }
        room.set(true)
        return true
    }
}
