internal import Tunnels

/// Which place in the frames each tunnel has. It keeps it for as long as it is there, so that frames needn't say whose
/// they are when tunnels come and go.
struct Slots: Sendable {
    private var byID: [TunnelID: Int] = [:]
    /// Of each slot; nil for a free one.
    private(set) var ids: [TunnelID?] = []
    /// In seconds since 1970: what the frames before it hold in the slot is its former tunnel's.
    private(set) var since: [Int64] = []
    /// The lowest last.
    private var free: [Int] = []
    /// Where the tunnels of the latest sample were: nearly always those of the next are there too.
    private var latest: [(id: TunnelID, slot: Int)] = []

    /// One more than the highest that is taken: so many a new frame needs.
    private(set) var count = 0
    var taken: Int { byID.count }

    func slot(of id: TunnelID) -> Int? { byID[id] }

    /// The slot of a sample's tunnel.
    ///
    /// - Parameters:
    ///   - position: in the sample.
    ///   - time: from which on it is there, in seconds since 1970.
    ///   - limit: how many slots there may be.
    /// - Returns: nil where the limit is reached.
    mutating func slot(of id: TunnelID, at position: Int, from time: Int64, limit: Int) -> (slot: Int, isNew: Bool)? {
        if position < latest.count, latest[position].id == id { return (latest[position].slot, false) }
        let known = byID[id]
        guard let slot = known ?? add(id, from: time, limit: limit) else { return nil }
        if position < latest.count {
            latest[position] = (id, slot)
        } else if position == latest.count {
            latest.append((id, slot))
        }
        return (slot, known == nil)
    }

    /// Gives a tunnel that has none the lowest slot that is free, so that the frames stay short.
    mutating func add(_ id: TunnelID, from time: Int64, limit: Int) -> Int? {
        guard byID[id] == nil else { return byID[id] }
        let slot: Int
        if let lowest = free.popLast() {
            (slot, ids[lowest], since[lowest]) = (lowest, id, time)
        } else {
            guard ids.count < limit else { return nil }
            slot = ids.count
            ids.append(id)
            since.append(.min)
        }
        byID[id] = slot
        count = max(count, slot + 1)
        return slot
    }

    /// Frees the slots of tunnels that are no more.
    mutating func release(where isGone: (TunnelID) -> Bool) {
        let gone = byID.filter { isGone($0.key) }
        guard !gone.isEmpty else { return }
        for (id, slot) in gone {
            (byID[id], ids[slot]) = (nil, nil)
            free.append(slot)
        }
        free.sort(by: >)
        count = (ids.lastIndex { $0 != nil } ?? -1) + 1
        latest = []
    }
}
