internal import Tunnels

/// What is known of a tunnel's total while its link isn't in the newest reading.
struct Account: Sendable, Equatable {
    /// A link, as told from the tunnel's former and later ones.
    struct Link: Sendable, Equatable {
        var ifindex: Int32
        var epoch: Int64
    }

    /// The one whose counters were last added; nil for none that can still be there.
    var link: Link?
    /// What that link's counters were then.
    var counted = LinkCounters()
    var total = LinkCounters()
    /// Whether it is stored as it is.
    var isStored = false
}

/// The totals of all tunnels, which go on when a link is made anew: the same link goes on from where it was, another one
/// adds.
struct Accounts: Sendable {
    /// Of tunnels that aren't in the newest reading.
    private(set) var parked: [TunnelID: Account] = [:]
    private(set) var newest: Reading?

    /// Takes in a reading's counters.
    ///
    /// - Parameter isOurMaking: whether we made the link of that number. What another one counted before isn't the
    ///   tunnel's.
    mutating func take(
        _ counters: [LinkCounters], of roster: Roster, at takenAt: Duration, isOurMaking: (Int32) -> Bool
    ) -> Reading {
        let offsets =
            if let newest, newest.roster === roster {
                offsets(of: counters, after: newest)
            } else {
                offsets(of: counters, roster, isOurMaking)
            }
        let reading = Reading(roster: roster, counters: counters, offsets: offsets, takenAt: takenAt)
        newest = reading
        return reading
    }

    /// As nearly always: the same tunnels with the same links, so the offsets stay.
    private func offsets(of counters: [LinkCounters], after former: Reading) -> [LinkCounters] {
        var offsets = former.offsets
        for position in counters.indices where !counters[position].isContinuing(former.counters[position]) {
            offsets[position] = former.total(at: position)
        }
        return offsets
    }

    private mutating func offsets(
        of counters: [LinkCounters], _ roster: Roster, _ isOurMaking: (Int32) -> Bool
    ) -> [LinkCounters] {
        var positions = Array(repeating: Roster.nowhere, count: counters.count)
        if let newest {
            positions = roster.positions(in: newest.roster)
            park(from: newest, besides: positions)
        }
        return counters.indices.map { position in
            let former = positions[position]
            let (view, ifindex) = (roster.views[position], roster.ifindexes[position])
            if former != Roster.nowhere, let newest, roster.hasSameLink(at: position, as: newest.roster, at: former),
                counters[position].isContinuing(newest.counters[former])
            {
                return newest.offsets[former]
            }
            let account =
                former == Roster.nowhere
                ? parked.removeValue(forKey: view.tunnel.id) : newest.map { $0.account(at: former) }
            let link = Account.Link(ifindex: ifindex, epoch: view.status.epoch)
            return Self.offset(of: counters[position], link, after: account, isOurMaking: isOurMaking(ifindex))
        }
    }

    private static func offset(
        of counters: LinkCounters, _ link: Account.Link, after account: Account?, isOurMaking: Bool
    ) -> LinkCounters {
        let total = account?.total ?? LinkCounters()
        if let account, account.link == link, counters.isContinuing(account.counted) { return total &- account.counted }
        return isOurMaking ? total : total &- counters
    }

    /// Makes room for so many, so that it needn't grow step by step.
    mutating func reserve(_ count: Int) { parked.reserveCapacity(count) }

    mutating func park(_ account: Account, of tunnel: TunnelID) { parked[tunnel] = account }

    mutating func forget(_ tunnels: [TunnelID]) {
        for id in tunnels { parked[id] = nil }
    }

    /// - Parameter total: as it was stored.
    mutating func noteStored(_ tunnel: TunnelID, _ total: LinkCounters) {
        if parked[tunnel]?.total == total { parked[tunnel]?.isStored = true }
    }

    /// Takes in what links had counted when they ended.
    mutating func noteEnds(of links: [Int32: LinkCounters]) {
        for (id, account) in parked {
            guard let link = account.link, let last = links[link.ifindex] else { continue }
            parked[id] = account.ended(with: last)
        }
        guard let newest else { return }
        var (counters, isNews) = (newest.counters, false)
        for (position, ifindex) in newest.roster.ifindexes.enumerated() {
            guard let last = links[ifindex], last.isContinuing(counters[position]) else { continue }
            counters[position] = last
            isNews = true
        }
        guard isNews else { return }
        self.newest = Reading(
            roster: newest.roster, counters: counters, offsets: newest.offsets, takenAt: newest.takenAt)
    }

    /// Remembers the tunnels of a reading that aren't in the next.
    private mutating func park(from reading: Reading, besides positions: [Int]) {
        var stays = Array(repeating: false, count: reading.counters.count)
        for position in positions where position != Roster.nowhere { stays[position] = true }
        for position in stays.indices where !stays[position] {
            parked[reading.roster.views[position].tunnel.id] = reading.account(at: position)
        }
    }
}

extension Account {
    fileprivate func ended(with last: LinkCounters) -> Account {
        guard last.isContinuing(counted), last != counted else { return self }
        return Account(link: link, counted: last, total: total &+ (last &- counted))
    }
}

extension Reading {
    func account(at position: Int) -> Account {
        let link = Account.Link(ifindex: roster.ifindexes[position], epoch: roster.views[position].status.epoch)
        return Account(link: link, counted: counters[position], total: total(at: position))
    }
}
