import GRDB
import ModelHost
import Testing
import Tunnels

@testable import Reconciler
@testable import TunnelStore

/// Totals over restarts, kills and reboots of the daemon.
@Suite struct StoredTotalsTests {
    /// One life of a daemon on a host that outlives it.
    private struct Life {
        let daemon: Daemon
        let sampler: Sampler

        /// - Parameter former: the life before, whose database, host and clock it has.
        init(after former: Life? = nil, place: String = "a", loadsHost: Bool = true) async throws {
            let plane = FakeDataPlane()
            let (time, store) = (
                former?.daemon.time ?? ManualTime(), try former?.daemon.store ?? TunnelStore.inMemory()
            )
            let host = loadsHost ? former?.daemon.plane.host ?? ModelHost() : ModelHost()
            if loadsHost, let former { plane.edit { $0.counters = former.daemon.plane.edit { $0.counters } } }
            // The sampler needs the directory of a reconciler that hasn't begun.
            daemon = try await Daemon(store: store, host: host, plane: plane, time: time) { reconciler in
                let sampler = Sampler(source: plane, directory: reconciler.directory, place: place, timing: time.timing)
                await reconciler.keepTotals(of: sampler)
                return sampler
            }
            sampler = try #require(daemon.sampler)
        }

        func count(_ packets: UInt64) throws {
            let ifindex = try #require(daemon.link("tun_1")).ifindex
            daemon.plane.edit { $0.counters[ifindex] = LinkCounters(packets: packets) }
        }

        func total() async throws -> UInt64 {
            await daemon.advance(by: .seconds(2))
            let totals = try sampler.sample().totals(of: try #require(try daemon.view("tun_1")).tunnel)
            #expect(totals == LinkCounters(packets: totals.rx.packets))
            return totals.rx.packets
        }

        func deleteLink() async throws {
            let ifindex = try #require(daemon.link("tun_1")).ifindex
            try daemon.plane.edit { state in
                try state.host.perform(.delete, on: ifindex)
                state.counters[ifindex] = nil
            }
            await daemon.kernelChanged()
        }
    }

    private func firstLife(packets: UInt64) async throws -> Life {
        let life = try await Life()
        await life.daemon.write(.create(try definition(1)))
        try life.count(packets)
        return life
    }

    @Test func aKillLosesNothingOfALinkThatStays() async throws {
        let first = try await firstLife(packets: 10)
        #expect(try await first.total() == 10)
        await first.daemon.advance(by: .seconds(60))
        #expect(try first.daemon.store.allTotals().map(\.total) == [LinkCounters(packets: 10)])
        try first.count(25)
        #expect(try await first.total() == 25)
        // Killed: nothing more is stored.
        let second = try await Life(after: first)
        #expect(try await second.total() == 25)
        try second.count(31)
        #expect(try await second.total() == 31)
    }

    @Test func aStopStoresAllAlsoOfFormerLinks() async throws {
        let first = try await firstLife(packets: 10)
        _ = try await first.total()
        try await first.deleteLink()
        try first.count(3)
        #expect(try await first.total() == 13)
        try first.count(4)
        await first.daemon.reconciler.stop()
        let second = try await Life(after: first)
        #expect(try await second.total() == 14)
        try second.count(9)
        #expect(try await second.total() == 19)
    }

    @Test func afterARebootAnotherLinkAdds() async throws {
        let first = try await firstLife(packets: 10)
        _ = try await first.total()
        await first.daemon.reconciler.stop()
        let second = try await Life(after: first, place: "b", loadsHost: false)
        #expect(second.daemon.link("tun_1")?.ifindex == first.daemon.link("tun_1")?.ifindex, "the same number")
        // More than the first had: only its place tells that it is another link.
        try second.count(50)
        #expect(try await second.total() == 60)
    }

    @Test func aLinkMadeAnewWhileNoDaemonRanAdds() async throws {
        let first = try await firstLife(packets: 10)
        _ = try await first.total()
        await first.daemon.reconciler.stop()
        let second = try await Life(after: first, loadsHost: false)
        try second.count(50)
        #expect(try await second.total() == 60)
    }

    @Test func aTunnelWithoutALinkKeepsItsTotal() async throws {
        let first = try await firstLife(packets: 10)
        _ = try await first.total()
        first.daemon.plane.refuse { $0.ifindex == nil }
        try await first.deleteLink()
        await first.daemon.reconciler.stop()
        let plane = first.daemon.plane
        #expect(plane.host.link(named: "tun_1") == nil)
        let second = try await Life(after: first)
        try second.count(5)
        #expect(try await second.total() == 15)
    }

    /// Rows written since the database was opened.
    private func changes(_ life: Life) throws -> Int {
        let queue = life.daemon.store.queue
        return try #require(try queue.unsafeRead { try Int.fetchOne($0, sql: "SELECT total_changes()") })
    }

    private func execute(_ sql: String, _ life: Life) throws {
        let queue = life.daemon.store.queue
        try queue.inDatabase { try $0.execute(sql: sql) }
    }

    @Test func onlyWhatChangedIsWritten() async throws {
        let life = try await firstLife(packets: 10)
        await life.daemon.write(.create(try definition(2)))
        _ = try await life.total()
        await life.daemon.advance(by: .seconds(60))
        let before = try changes(life)
        await life.daemon.advance(by: .seconds(180))
        _ = try await life.total()
        await life.daemon.advance(by: .seconds(60))
        #expect(try changes(life) == before)
        try life.count(11)
        _ = try await life.total()
        await life.daemon.advance(by: .seconds(60))
        #expect(try changes(life) == before + 1)
    }

    @Test func theTotalGoesWithItsTunnel() async throws {
        let life = try await firstLife(packets: 10)
        _ = try await life.total()
        await life.daemon.advance(by: .seconds(60))
        #expect(try life.daemon.store.allTotals().count == 1)
        await life.daemon.write(.delete(.name(try name("tun_1"))))
        await life.daemon.advance(by: .seconds(1))
        _ = try life.sampler.sample(isFresh: true)
        await life.daemon.advance(by: .seconds(60))
        #expect(try life.daemon.store.allTotals().isEmpty)
    }

    @Test func whatAFailedWriteDidNotStoreTheNextOneDoes() async throws {
        let life = try await firstLife(packets: 10)
        _ = try await life.total()
        try execute("ALTER TABLE tunnel_total RENAME TO elsewhere", life)
        await life.daemon.advance(by: .seconds(120))
        try execute("ALTER TABLE elsewhere RENAME TO tunnel_total", life)
        #expect(try life.daemon.store.allTotals().isEmpty)
        await life.daemon.advance(by: .seconds(60))
        #expect(try life.daemon.store.allTotals().map(\.total) == [LinkCounters(packets: 10)])
    }

    @Test func whatALinkCountedBeforeItWasAdoptedIsNotItsTunnels() async throws {
        let life = try await Life()
        let link = life.daemon.plane.edit { state in
            let ends = LinkParameters(
                local: IPv4Address(172, 16, 16, 22), remote: IPv4Address(172, 16, 1, 62))
            return state.host.addForeign(name: "tun_1", kind: "ipip", parameters: ends)
        }
        life.daemon.plane.edit { $0.counters[link] = LinkCounters(packets: 70) }
        let answer = await life.daemon.write(.adopt(.init(link: "tun_1")))
        #expect(answer.word == "created")
        #expect(try await life.total() == 0)
        life.daemon.plane.edit { $0.counters[link] = LinkCounters(packets: 75) }
        #expect(try await life.total() == 5)
        let second = try await Life(after: life)
        #expect(second.daemon.link("tun_1")?.ifindex == link)
    }

    /// The kernel tells of them with the removal, which no sample can see any more.
    @Test func theLastCountsOfALinkThatEndedCount() async throws {
        let life = try await firstLife(packets: 10)
        _ = try await life.total()
        let ifindex = try #require(life.daemon.link("tun_1")).ifindex
        life.sampler.noteEnds(of: [ifindex: LinkCounters(packets: 12), 1: LinkCounters(packets: 99)])
        try await life.deleteLink()
        try life.count(1)
        #expect(try await life.total() == 13)
    }

    @Test func soTheyDoAfterASampleThatMissedTheLink() async throws {
        let life = try await firstLife(packets: 10)
        _ = try await life.total()
        let ifindex = try #require(life.daemon.link("tun_1")).ifindex
        life.daemon.plane.edit { $0.counters[ifindex] = nil }
        #expect(try await life.total() == 10)
        life.sampler.noteEnds(of: [ifindex: LinkCounters(packets: 12)])
        #expect(try await life.total() == 12)
        try life.count(13)
        #expect(try await life.total() == 13)
    }
}

extension TunnelStore {
    fileprivate func allTotals() throws(StoreError) -> [TunnelTotal] {
        var totals: [TunnelTotal] = []
        try forEachTotal { totals.append($0) }
        return totals
    }
}
