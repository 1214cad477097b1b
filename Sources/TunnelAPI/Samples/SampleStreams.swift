internal import Dispatch
internal import HTTPServer
internal import Reconciler
internal import Synchronization

/// Sends each sample to everybody who has subscribed, encoded once for all of the same selection.
///
/// One queue does all sending. A stream holds one sample at most: who is slow gets the newest one when it has taken that,
/// and not those in between. Whoever needs longer than 30 s for one is cut off, so that no more than those of the last
/// 30 s are in memory.
final class SampleStreams: Sendable {
    /// What the queue has to do.
    fileprivate struct Inbox {
        var isScheduled = false
        var isTicking = false
        var sample: Sample?
        var joined: [SampleSubscriber] = []
        var left: [UInt64] = []
        /// How many subscribers each selection has, those that just join among them.
        var selections: [SampleSelection: Int] = [:]
        var lastID: UInt64 = 0
    }

    fileprivate struct Sending {
        var newest: Sample?
        var groups: [SampleSelection: Group] = [:]
        var selections: [UInt64: SampleSelection] = [:]
    }

    /// All who made the same selection.
    fileprivate struct Group {
        var frame: SampleFrame?
        var subscribers: [UInt64: SampleSubscriber] = [:]
    }

    /// Each is an encoding of its own.
    private static let selectionsAtMost = 128
    private static let keepAliveInterval = Duration.seconds(15)
    private static let patience = Duration.seconds(30)

    private let sampler: Sampler
    private let directory: Directory
    private let timing: Timing
    private let queue = DispatchQueue(label: "streams of samples")
    private let inbox = Mutex(Inbox())
    /// Held by the queue alone.
    private let sending = Mutex(Sending())

    init(sampler: Sampler, directory: Directory, timing: Timing) {
        self.sampler = sampler
        self.directory = directory
        self.timing = timing
    }

    /// Takes a sample. Returns at once.
    func publish(_ sample: Sample) {
        schedule { inbox in
            if !inbox.selections.isEmpty { inbox.sample = sample }
        }
    }

    /// - Parameter sample: what it begins with.
    func subscribe(
        _ selection: SampleSelection, isCompressed: Bool, from sample: Sample, by principal: Principal?
    ) throws(HTTPError) -> ResponseStream {
        let (id, startsTicking) = try admit(selection)
        let room = StreamRoom()
        let stream = ResponseStream(
            capacityBytes: 0,
            onClose: { self.leave(id, selection) },
            onRoom: {
                room.set(true)
                self.schedule { _ in }
            })
        let subscriber = SampleSubscriber(
            id: id, stream: stream, room: room, selection: selection, isCompressed: isCompressed, principal: principal,
            at: timing.uptime())
        _ = stream.push(shared: SampleFrame.opening(isCompressed: isCompressed))
        sampler.beginLooking()
        schedule { inbox in
            inbox.joined.append(subscriber)
            if inbox.sample.map({ $0.number < sample.number }) ?? true { inbox.sample = sample }
        }
        if startsTicking { scheduleKeepAlive() }
        return stream
    }

    private func admit(_ selection: SampleSelection) throws(HTTPError) -> (id: UInt64, startsTicking: Bool) {
        try inbox.withLock { inbox throws(HTTPError) in
            if inbox.selections[selection] == nil, inbox.selections.count >= Self.selectionsAtMost {
                throw .overloaded("Too many different selections are streamed; select as others do, or all.")
            }
            inbox.selections[selection, default: 0] += 1
            inbox.lastID += 1
            defer { inbox.isTicking = true }
            return (inbox.lastID, !inbox.isTicking)
        }
    }

    private func leave(_ id: UInt64, _ selection: SampleSelection) {
        sampler.endLooking()
        schedule { inbox in
            inbox.left.append(id)
            let count = (inbox.selections[selection] ?? 1) - 1
            inbox.selections[selection] = count > 0 ? count : nil
        }
    }

    /// Ends the streams of those who may not read any more.
    func endStreams(where isOver: @escaping @Sendable (Principal) -> Bool) {
        forEachSubscriber { if $0.principal.map(isOver) ?? false { $0.stream.finish() } }
    }

    // MARK: The queue's turns

    private func schedule(_ change: (inout Inbox) -> Void) {
        let isFirst = inbox.withLock { inbox in
            change(&inbox)
            defer { inbox.isScheduled = true }
            return !inbox.isScheduled
        }
        if isFirst { queue.async { self.takeTurn() } }
    }

    /// Takes in the news, and gives the newest sample to everybody who has room for it.
    private func takeTurn() {
        let news = inbox.withLock { inbox in
            let taken = inbox
            inbox.isScheduled = false
            (inbox.sample, inbox.joined, inbox.left) = (nil, [], [])
            return taken
        }
        let now = timing.uptime()
        sending.withLock { sending in
            for subscriber in news.joined { sending.add(subscriber) }
            for id in news.left { sending.remove(id) }
            if let sample = news.sample, sample.number > sending.newest?.number ?? 0 { sending.newest = sample }
            guard let newest = sending.newest else { return }
            for selection in sending.groups.keys { bringOn(selection, newest, now, &sending) }
            // Where nobody listens nothing is kept.
            if sending.groups.isEmpty { sending.newest = nil }
        }
    }

    private func bringOn(
        _ selection: SampleSelection, _ newest: Sample, _ now: Duration, _ sending: inout Sending
    ) {
        guard var group = sending.groups[selection] else { return }
        sending.groups[selection] = nil
        if group.frame.map({ $0.number < newest.number }) ?? true { group.frame = SampleFrame(newest) }
        for subscriber in group.subscribers.values where subscriber.lastNumber < newest.number {
            guard subscriber.room.now else {
                if now - subscriber.servedAt > Self.patience { subscriber.stream.abort() }
                continue
            }
            let bytes = group.frame?.bytes(isCompressed: subscriber.isCompressed, selection, directory)
            if let bytes { subscriber.send(bytes, number: newest.number, at: now) } else { subscriber.stream.abort() }
        }
        sending.groups[selection] = group
    }

    // MARK: Keeping connections open

    private func scheduleKeepAlive() {
        timing.after(Self.keepAliveInterval) { self.keepAlive() }
    }

    /// For times in which no sample can be taken.
    private func keepAlive() {
        let goesOn = inbox.withLock { inbox in
            inbox.isTicking = !inbox.selections.isEmpty
            return inbox.isTicking
        }
        guard goesOn else { return }
        let now = timing.uptime()
        forEachSubscriber { subscriber in
            if now - subscriber.servedAt >= Self.keepAliveInterval { subscriber.sendKeepAlive() }
        }
        scheduleKeepAlive()
    }

    private func forEachSubscriber(_ body: @escaping @Sendable (SampleSubscriber) -> Void) {
        queue.async {
            self.sending.withLock { sending in
                for group in sending.groups.values { group.subscribers.values.forEach(body) }
            }
        }
    }
}

extension SampleStreams.Sending {
    fileprivate mutating func add(_ subscriber: SampleSubscriber) {
        selections[subscriber.id] = subscriber.selection
        groups[subscriber.selection, default: SampleStreams.Group()].subscribers[subscriber.id] = subscriber
    }

    fileprivate mutating func remove(_ id: UInt64) {
        guard let selection = selections.removeValue(forKey: id) else { return }
        groups[selection]?.subscribers[id] = nil
        if groups[selection]?.subscribers.isEmpty ?? false { groups[selection] = nil }
    }
}
