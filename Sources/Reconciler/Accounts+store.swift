internal import TunnelStore
public import Tunnels

/// What is to be stored of the totals.
struct UnsavedTotals: Sendable {
    let totals: [TunnelTotal]
    /// Tunnels that there aren't any more.
    let gone: [TunnelID]
    /// The reading that they are of.
    fileprivate let reading: Reading?

    var isEmpty: Bool { totals.isEmpty && gone.isEmpty }
}

extension Accounts {
    /// Takes in what was stored. A link of another boot or namespace isn't there any more.
    mutating func restore(_ total: TunnelTotal, at place: String) {
        let link = total.link.flatMap { $0.place == place ? Account.Link($0) : nil }
        let account = Account(link: link, counted: total.counted, total: total.total, isStored: true)
        park(account, of: total.tunnel)
    }

    /// What has changed since it was last stored.
    func unsaved(at place: String, since saved: Reading?, where isKept: (TunnelID) -> Bool) -> UnsavedTotals {
        var (totals, gone) = ([TunnelTotal](), [TunnelID]())
        if let newest {
            let comparison = saved.map { Comparison(of: newest, with: $0) }
            for position in newest.counters.indices {
                let id = newest.roster.views[position].tunnel.id
                if let saved, let former = comparison?.positionOfLink(position),
                    !saved.differs(at: former, from: newest, at: position)
                {
                    continue
                }
                if isKept(id) { totals.append(TunnelTotal(id, newest.account(at: position), at: place)) }
            }
        }
        for (id, account) in parked {
            if !isKept(id) {
                gone.append(id)
            } else if !account.isStored {
                totals.append(TunnelTotal(id, account, at: place))
            }
        }
        return UnsavedTotals(totals: totals, gone: gone, reading: newest)
    }

    mutating func noteSaved(_ unsaved: UnsavedTotals) -> Reading? {
        forget(unsaved.gone)
        for total in unsaved.totals { noteStored(total.tunnel, total.total) }
        return unsaved.reading
    }
}

extension Reading {
    fileprivate func differs(at position: Int, from later: Reading, at laterPosition: Int) -> Bool {
        counters[position] != later.counters[laterPosition] || offsets[position] != later.offsets[laterPosition]
    }
}

extension Account.Link {
    fileprivate init(_ link: TunnelTotal.Link) {
        self.init(ifindex: link.ifindex, epoch: link.epoch)
    }
}

extension TunnelTotal {
    fileprivate init(_ id: TunnelID, _ account: Account, at place: String) {
        let link = account.link.map { Link(ifindex: $0.ifindex, epoch: $0.epoch, place: place) }
        self.init(tunnel: id, total: account.total, link: link, counted: account.counted)
    }
}

extension Sampler {
    /// Takes in the stored totals; to be called before the first sample.
    ///
    /// - Parameter count: how many there will be, about.
    func restore(_ count: Int, from store: TunnelStore) throws(StoreError) {
        let result = withAccounts { accounts, _ in
            accounts.reserve(count)
            return Result { () throws(StoreError) in
                try store.forEachTotal { accounts.restore($0, at: place) }
            }
        }
        try result.get()
    }

    /// - Parameter isKept: whether a tunnel is there, or may come back.
    func unsaved(where isKept: (TunnelID) -> Bool) -> UnsavedTotals {
        withAccounts { accounts, saved in accounts.unsaved(at: place, since: saved, where: isKept) }
    }

    func noteSaved(_ unsaved: UnsavedTotals) {
        withAccounts { accounts, saved in saved = accounts.noteSaved(unsaved) }
    }

    /// Takes in what links had counted when they ended, which no sample can show any more.
    public func noteEnds(of links: [Int32: LinkCounters]) {
        withAccounts { accounts, _ in accounts.noteEnds(of: links) }
    }
}
