internal import Dispatch
internal import HTTPServer
internal import Logging
internal import Reconciler
internal import Synchronization
internal import TunnelStore

/// Sends each event to everybody who has subscribed, encoded once for all.
///
/// One queue does all sending, so that neither the writer nor a thread of the server waits for a client. Who falls behind
/// gets what it missed from the ring, or, where that has gone on, from the database over the readers' connection.
final class EventStreams: Sendable {
    /// What the queue has to do.
    fileprivate struct Inbox {
        var isScheduled = false
        var isTicking = false
        var arrived: [StoredEvent] = []
        var joined: [EventSubscriber] = []
        var left: [UInt64] = []
        /// Subscribers, those that just join among them.
        var count = 0
        var lastID: UInt64 = 0
    }

    private struct Sending {
        var ring = EventRing()
        var subscribers: [UInt64: EventSubscriber] = [:]
    }

    private static let keepAliveInterval = Duration.seconds(15)
    /// How many events one subscriber gets from the database before it is the others' turn.
    private static let readAtOnce = 256

    private let history: TunnelStore
    private let timing: Timing
    private let logger: Logger
    private let queue = DispatchQueue(label: "events")
    private let inbox = Mutex(Inbox())
    /// Held by the queue alone.
    private let sending = Mutex(Sending())

    init(history: TunnelStore, timing: Timing, logger: Logger) {
        self.history = history
        self.timing = timing
        self.logger = logger
    }

    /// Takes what was committed. Returns at once.
    func publish(_ events: [StoredEvent]) {
        let isFirst = inbox.withLock { inbox in
            // Where nobody listens nothing is kept: the first to come begins with the database.
            guard inbox.count > 0 else { return false }
            inbox.arrived += events
            let excess = inbox.arrived.count - EventRing.capacity
            if excess > 0 { inbox.arrived.removeFirst(excess) }
            return inbox.schedule()
        }
        if isFirst { enqueueTurn() }
    }

    /// - Parameter position: the id of the last event that the client has.
    func subscribe(_ selection: EventSelection, after position: Int64, by principal: Principal?) -> ResponseStream {
        let (id, startsTicking) = inbox.withLock { inbox in
            inbox.count += 1
            inbox.lastID += 1
            defer { inbox.isTicking = true }
            return (inbox.lastID, !inbox.isTicking)
        }
        let room = StreamRoom()
        let stream = ResponseStream(
            onClose: { self.schedule { $0.left.append(id) } },
            onRoom: {
                room.set(true)
                self.schedule { _ in }
            })
        let subscriber = EventSubscriber(
            id: id, stream: stream, room: room, selection: selection, principal: principal, after: position)
        _ = stream.push(EventFrame.opening(after: position))
        schedule { $0.joined.append(subscriber) }
        if startsTicking { scheduleKeepAlive() }
        return stream
    }

    /// Ends the streams of those who may not read any more.
    func endStreams(where isOver: @escaping @Sendable (Principal) -> Bool) {
        queue.async {
            self.sending.withLock { sending in
                for subscriber in sending.subscribers.values where subscriber.principal.map(isOver) ?? false {
                    subscriber.stream.finish()
                }
            }
        }
    }

    // MARK: The queue's turns

    private func schedule(_ change: (inout Inbox) -> Void) {
        let isFirst = inbox.withLock { inbox in
            change(&inbox)
            return inbox.schedule()
        }
        if isFirst { enqueueTurn() }
    }

    private func enqueueTurn() {
        queue.async { self.takeTurn() }
    }

    /// Takes in the news, and brings everybody a step on.
    private func takeTurn() {
        let news = inbox.withLock { inbox in
            let taken = inbox
            inbox.isScheduled = false
            (inbox.arrived, inbox.joined, inbox.left) = ([], [], [])
            inbox.count -= taken.left.count
            return taken
        }
        let isUnfinished = sending.withLock { sending in
            for event in news.arrived { sending.ring.append(EventFrame(event)) }
            for subscriber in news.joined { sending.subscribers[subscriber.id] = subscriber }
            for id in news.left { sending.subscribers[id] = nil }
            if sending.subscribers.isEmpty { sending.ring.clear(latest: 0) }
            var isUnfinished = false
            for subscriber in sending.subscribers.values where subscriber.room.now {
                if bringOn(subscriber, sending.ring) { isUnfinished = true }
            }
            return isUnfinished
        }
        if isUnfinished { schedule { _ in } }
    }

    /// - Returns: whether there is more for it to be had.
    private func bringOn(_ subscriber: EventSubscriber, _ ring: EventRing) -> Bool {
        let position = subscriber.after
        if subscriber.followsRing, let frames = ring.frames(after: position) {
            if !frames.isEmpty { subscriber.send(frames) }
            return false
        }
        do throws(StoreError) {
            let events = try history.events(after: position, limit: Self.readAtOnce)
            if let first = events.first, position > 0, first.id != position + 1 {
                // Pruned meanwhile: when the client comes again, it is told so.
                subscriber.stream.finish()
                return false
            }
            subscriber.send(events.lazy.map(EventFrame.init))
            guard subscriber.room.now else { return false }
            if events.count < Self.readAtOnce { subscriber.followRing() }
            return events.count == Self.readAtOnce
        } catch {
            logger.error("events not read", metadata: ["error": "\(error)"])
            subscriber.stream.finish()
            return false
        }
    }

    // MARK: Keeping connections open

    private func scheduleKeepAlive() {
        timing.after(Self.keepAliveInterval) { self.keepAlive() }
    }

    private func keepAlive() {
        let goesOn = inbox.withLock { inbox in
            inbox.isTicking = inbox.count > 0
            return inbox.isTicking
        }
        guard goesOn else { return }
        queue.async {
            self.sending.withLock { sending in
                for subscriber in sending.subscribers.values where subscriber.room.now { subscriber.sendKeepAlive() }
            }
        }
        scheduleKeepAlive()
    }
}

extension EventStreams.Inbox {
    /// - Returns: whether a turn is to be enqueued.
    fileprivate mutating func schedule() -> Bool {
        defer { isScheduled = true }
        return !isScheduled
    }
}
