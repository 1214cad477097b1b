internal import Tunnels

/// What is kept in memory: the frames of all resolutions, each coarser one made of the finer. A value, and pure: time is
/// told with each sample.
struct Frames: Sendable {
    /// A sample that covers more is a gap: it's known how much there was, but hardly when. Two slow ticks and a little.
    static let longestInterval = 25.0
    /// Milliseconds by which a sample may begin before or after the end of the former: clocks are slewed, timers late.
    private static let jitter: Int64 = 500

    /// How a sample followed on the one before.
    enum Continuity: Equatable {
        case followed
        /// After a hole, or the clock was set: what is on disk of this time should be loaded.
        case broken
    }

    var slots = Slots()
    private(set) var rings = Resolution.allCases.map { FrameRing($0) }
    private var open = OpenSecond()
    /// The end of the latest sample, in milliseconds since 1970.
    private(set) var recordedUntil: Int64?
    /// What the latest sample grew by, by slot.
    private var rates: [RateVector] = []
    /// Bytes.
    let budget: Int
    let hasDisk: Bool
    let slotLimit: Int
    private(set) var plan: MemoryPlan
    private var plannedSlots = 0
    /// The first place of each resolution that was recorded since `takeUnwritten`.
    var firstUnwritten: [Int64?] = Resolution.allCases.map { _ in nil }
    /// Tunnels of the latest sample for which there was no room.
    private(set) var leftOut = 0

    init(budget: Int, hasDisk: Bool) {
        (self.budget, self.hasDisk) = (budget, hasDisk)
        slotLimit = MemoryPlan.slots(within: budget, hasDisk: hasDisk)
        plan = MemoryPlan(budget: budget, slots: 0, hasDisk: hasDisk)
    }

    subscript(resolution: Resolution) -> FrameRing {
        get { rings[resolution.rawValue] }
        set { rings[resolution.rawValue] = newValue }
    }

    /// What all of it takes, counted on the large side.
    var bytes: Int { rings.reduce(slots.ids.count * MemoryPlan.slotOverhead) { $0 + $1.bytes } }

    /// Takes in a sample.
    ///
    /// - Parameters:
    ///   - end: milliseconds since 1970 by the wall clock.
    ///   - seconds: what it covers before that.
    ///   - growths: what each tunnel grew by; nil where that isn't known.
    @discardableResult
    mutating func record(
        until end: Int64, seconds: Double, _ growths: some Collection<(id: TunnelID, growth: LinkCounters?)>
    ) -> Continuity {
        let former = recordedUntil
        guard seconds > 0, seconds <= Self.longestInterval else {
            recordedUntil = end
            return former == nil ? .followed : .broken
        }
        let (begin, continuity) = begin(of: end, milliseconds: Int64(seconds * 1000))
        recordedUntil = end
        guard begin < end else { return continuity }
        take(growths, seconds: Float(seconds), from: begin.floorDivided(by: 1000))
        spread(from: begin, to: end)
        shrink()
        return continuity
    }

    /// From when on a sample tells something new. Where the clock was set back, what claims to be later is dropped: that
    /// time comes anew.
    private mutating func begin(of end: Int64, milliseconds: Int64) -> (Int64, Continuity) {
        let begin = end - milliseconds
        guard let former = recordedUntil else { return (begin, .followed) }
        if abs(begin - former) <= Self.jitter || begin < former && former < end { return (former, .followed) }
        if begin < former { removeFrames(after: begin.floorDivided(by: 1000)) }
        let isNear = abs(begin - former) <= Int64(Self.longestInterval * 1000)
        return (begin, isNear ? .followed : .broken)
    }

    private mutating func removeFrames(after second: Int64) {
        for index in rings.indices { rings[index].removeFrames(endingAfter: second) }
        open.clear()
    }

    private mutating func take(
        _ growths: some Collection<(id: TunnelID, growth: LinkCounters?)>, seconds: Float, from second: Int64
    ) {
        for slot in rates.indices { rates[slot] = RateVector() }
        var (position, leftOut) = (0, 0)
        for (id, growth) in growths {
            defer { position += 1 }
            guard let (slot, isNew) = slots.slot(of: id, at: position, from: second, limit: slotLimit) else {
                leftOut += 1
                continue
            }
            if isNew { open.clear(slot) }
            guard let growth else { continue }
            if slot >= rates.count {
                rates.append(contentsOf: repeatElement(RateVector(), count: slot + 1 - rates.count))
            }
            rates[slot] = RateVector(growth, in: seconds)
        }
        self.leftOut = leftOut
    }

    /// Gives the rates to each second from one time to another, in milliseconds, and to parts of seconds.
    private mutating func spread(from begin: Int64, to end: Int64) {
        var whole: [UInt16]?
        var time = begin
        while time < end {
            let second = time.floorDivided(by: 1000)
            let next = min(end, (second + 1) * 1000)
            if !open.isEmpty, open.place != second { closeSecond() }
            if next - time == 1000 {
                let codes = whole ?? Frame.codes(Array(rates.prefix(slots.count)))
                whole = codes
                append(Frame(place: second, codes: codes))
            } else {
                open.add(rates, for: Float(next - time) / 1000, in: second)
            }
            time = next
        }
        if !open.isEmpty, (open.place + 1) * 1000 <= end { closeSecond() }
    }

    private mutating func closeSecond() {
        append(open.frame(slots: slots.count))
        open.clear()
    }

    /// Adds the newest second, and makes the coarser places that ended before it.
    private mutating func append(_ frame: Frame) {
        if let last = self[.second].frames.last {
            for resolution in Resolution.stored {
                let former = last.place.floorDivided(by: resolution.seconds)
                // Where one goes on, those that are coarser do too.
                guard former != frame.place.floorDivided(by: resolution.seconds) else { break }
                if let average = average(former, resolution) { add(average, to: resolution) }
            }
        }
        add(frame, to: .second)
    }

    private mutating func add(_ frame: Frame, to resolution: Resolution) {
        self[resolution].insert(frame)
        self[resolution].trim(to: plan.frames[resolution.rawValue])
        noteUnwritten(frame.place, resolution)
    }

    mutating func noteUnwritten(_ place: Int64, _ resolution: Resolution) {
        firstUnwritten[resolution.rawValue] = min(firstUnwritten[resolution.rawValue] ?? place, place)
    }

    /// A place's frame, of what there is of the next finer; nil where there is nothing.
    private func average(_ place: Int64, _ resolution: Resolution, including open: Frame? = nil) -> Frame? {
        guard let finer = resolution.finer else { return nil }
        let ratio = resolution.seconds / finer.seconds
        var parts = Array(self[finer].frames(in: place * ratio..<(place + 1) * ratio))
        if let open, open.place.floorDivided(by: ratio) == place { parts.append(open) }
        guard !parts.isEmpty else { return nil }
        var sums = [RateVector](repeating: RateVector(), count: slots.count)
        for part in parts {
            let end = (part.place + 1) * finer.seconds
            for slot in sums.indices where end > slots.since[slot] { sums[slot] += part[slot] }
        }
        return Frame(place: place, codes: Frame.codes(sums))
    }

    /// The frame of the time that isn't over yet; nil for seconds, and where there is nothing of it.
    func openFrame(_ resolution: Resolution) -> Frame? {
        guard let finer = resolution.finer else { return nil }
        let ratio = resolution.seconds / finer.seconds
        let part = openFrame(finer)
        guard let place = part?.place ?? self[finer].frames.last?.place else { return nil }
        return average(place.floorDivided(by: ratio), resolution, including: part)
    }

    /// Puts in what was read from disk, where there is nothing newer.
    mutating func fill(_ frame: Frame, _ resolution: Resolution) {
        self[resolution].insert(frame, isOlder: true)
        self[resolution].trim(to: plan.frames[resolution.rawValue])
    }

    /// Drops the oldest frames, where those of more tunnels, past or present, take more memory than there may be.
    private mutating func shrink() {
        if slots.count != plannedSlots {
            plannedSlots = slots.count
            plan = MemoryPlan(budget: budget, slots: slots.count, hasDisk: hasDisk)
            for index in rings.indices { rings[index].trim(to: plan.frames[index]) }
        }
        for index in rings.indices {
            while bytes > budget, !rings[index].frames.isEmpty { rings[index].trim(to: rings[index].frames.count - 1) }
        }
    }
}
