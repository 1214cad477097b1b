internal import HTTPServer
internal import Synchronization
internal import TunnelStore

/// One client's stream of events. It has no queue of its own but the stream's buffer: when that is full, it falls behind.
final class EventSubscriber: Sendable {
    let id: UInt64
    let stream: ResponseStream
    let room: StreamRoom
    let selection: EventSelection
    let principal: Principal?
    /// The last event that was sent or passed over. This and the next are used by the streams' one queue alone.
    private let position: Atomic<Int64>
    /// Whether it has all that was committed before it came, so that what follows comes by the ring.
    private let isCurrent = Atomic(false)

    init(
        id: UInt64, stream: ResponseStream, room: StreamRoom, selection: EventSelection, principal: Principal?,
        after position: Int64
    ) {
        self.id = id
        self.stream = stream
        self.room = room
        self.selection = selection
        self.principal = principal
        self.position = Atomic(position)
    }

    var after: Int64 { position.load(ordering: .relaxed) }

    var followsRing: Bool { isCurrent.load(ordering: .relaxed) }

    func followRing() { isCurrent.store(true, ordering: .relaxed) }

    /// Sends what it selects of the frames, in pieces, as far as there is room.
    func send(_ frames: some Sequence<EventFrame>) {
        var (piece, last) = ([UInt8](), after)
        for frame in frames where frame.id > last {
            if selection.matches(frame.event) { piece += frame.bytes }
            last = frame.id
            guard piece.count >= Self.pieceBytes else { continue }
            guard push(piece) else { return }
            position.store(last, ordering: .relaxed)
            piece.removeAll(keepingCapacity: true)
        }
        if push(piece) { position.store(last, ordering: .relaxed) }
    }

    /// Keeps the connection from looking dead.
    func sendKeepAlive() { _ = push(EventFrame.keepAlive(after: after)) }

    private static let pieceBytes = 16 * 1024

    private func push(_ bytes: [UInt8]) -> Bool {
        // Before the push: from the moment on that there is no room, it may be told that there is.
        room.set(false)
        guard stream.push(bytes) == .accepted else { return false }
        room.set(true)
        return true
    }
}
