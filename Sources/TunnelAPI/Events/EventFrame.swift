internal import TunnelStore

/// An event as it is sent to all subscribers (WHATWG HTML, section 9.2: server-sent events).
struct EventFrame: Sendable {
    let id: Int64
    /// What selections look at.
    let event: Event
    let bytes: [UInt8]

    init(_ stored: StoredEvent) {
        id = stored.id
        event = stored.event
        var data = JSONWriter(capacity: 512)
        data.event(stored)
        bytes = Array("id: \(stored.id)\nevent: \(event.kind.rawValue)\ndata: ".utf8) + data.bytes + Array("\n\n".utf8)
    }

    /// What a stream begins with: where it stands, so that a client that is cut off before the first event resumes
    /// there, and how long to wait before that.
    static func opening(after id: Int64) -> [UInt8] { Array("retry: 1000\nid: \(id)\n\n".utf8) }

    /// A comment that keeps the connection open, and where the stream stands: events that weren't asked for are passed.
    static func keepAlive(after id: Int64) -> [UInt8] { Array(":\nid: \(id)\n\n".utf8) }
}

/// The newest events, made ready to be sent.
struct EventRing {
    static let capacity = 4096

    /// Without a hole, up to `latest`. Begins at `start`: to move the rest for each one that goes would cost too much.
    private var frames: [EventFrame] = []
    private var start = 0
    private(set) var latest: Int64 = 0

    mutating func append(_ frame: EventFrame) {
        if frame.id != latest + 1 { clear(latest: frame.id) }
        latest = frame.id
        frames.append(frame)
        guard frames.count - start > Self.capacity else { return }
        start += 1
        if start >= Self.capacity {
            frames.removeFirst(start)
            start = 0
        }
    }

    /// Forgets all, where events up to `latest` were left out.
    mutating func clear(latest: Int64) {
        self.latest = latest
        frames = []
        start = 0
    }

    /// The frames that follow an id; nil where some of them aren't there any more.
    func frames(after id: Int64) -> ArraySlice<EventFrame>? {
        guard id < latest else { return [] }
        let count = Int(latest - id)
        return count <= frames.count - start ? frames[(frames.count - count)...] : nil
    }
}
