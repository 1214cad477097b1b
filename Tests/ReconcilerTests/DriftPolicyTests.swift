import GRDB
import ModelHost
import Testing
import Tunnels

@testable import Reconciler
@testable import TunnelStore

extension Daemon {
    /// With one tunnel, `tun_1`, of that policy.
    static func withTunnel(
        _ policy: DriftPolicy, _ edit: (inout TunnelDefinition) throws -> Void = { _ in }
    ) async throws -> Daemon {
        let daemon = try await Daemon()
        await daemon.write(
            .create(
                try definition(1) {
                    $0.mtu = 1300
                    $0.driftPolicy = policy
                    try edit(&$0)
                }))
        return daemon
    }

    var tunnel: Tunnel {
        get throws { try #require(reconciler.directory.views.first).tunnel }
    }

    /// Changes the link of `tun_1` by somebody else's hand, and tells of it as the kernel does.
    func change(_ operations: [Tunnels.Operation], by author: ChangeAuthor? = nil) async throws {
        let id = try tunnel.id
        try plane.edit { state in
            for operation in operations {
                let link = state.host.link(of: id)
                let ifindex = try #require(link).ifindex
                try state.host.perform(operation, on: ifindex)
                state.notes += operation.note(on: ifindex, by: author)
            }
        }
        await kernelChanged()
    }

    /// The rows of the ledger, the oldest first: what, and how it ended.
    func ledger() throws -> [String] {
        try store.drifts(of: tunnel.id, before: nil, limit: 1000, isOpen: false).reversed().map { row in
            let end = row.end.map { $0.outcome.rawValue } ?? "open"
            return "\(row.field) \(row.desired) \(row.observed): \(end)"
        }
    }
}

extension Tunnels.Operation {
    /// What the kernel tells of it.
    func note(on ifindex: Int32, by author: ChangeAuthor?) -> [ChangeNote] {
        switch self {
        case .addAddress: [ChangeNote(ifindex: ifindex, subject: .address, isRemoval: false, author: author)]
        case .removeAddress: [ChangeNote(ifindex: ifindex, subject: .address, isRemoval: true, author: author)]
        case .addRoute: [ChangeNote(ifindex: ifindex, subject: .route, isRemoval: false, author: author)]
        case .removeRoute: [ChangeNote(ifindex: ifindex, subject: .route, isRemoval: true, author: author)]
        case .delete: [ChangeNote(ifindex: ifindex, subject: .link, isRemoval: true, author: author)]
        default: []
        }
    }
}

@Suite struct EnforceTests {
    @Test(arguments: DriftTests.cases) func eachDifferenceIsARowThatEnds(_ row: DriftTests.Case) async throws {
        let daemon = try await Daemon.withTunnel(.enforce)
        try await daemon.change(try row.operation())
        await daemon.kernelChanged()
        #expect(Set(try daemon.ledger()) == Set(row.drift.map { $0 + ": repaired" }))
        try daemon.expectAgreement()
    }

    @Test func whoDidItIsToldWhereTheKernelTells() async throws {
        let daemon = try await Daemon.withTunnel(.enforce)
        try await daemon.change(
            [.addAddress(try address("10.1.1.1/24")), .setMTU(1400)], by: ChangeAuthor(pid: 42, program: "ip"))
        let rows = try daemon.store.drifts(of: daemon.tunnel.id, before: nil, limit: 10, isOpen: false)
        #expect(rows.first { $0.field == "addresses" }?.author == ChangeAuthor(pid: 42, program: "ip"))
        #expect(rows.first { $0.field == "mtu" }?.author == nil)
        let events = try daemon.store.events(after: 0, limit: 10).map(\.event)
        let found = events.first { $0.kind == .drifted }
        let event = try #require(found)
        let ours = #"{"desired":"absent","field":"addresses","observed":"10.1.1.1/24","pid":42,"program":"ip"}"#
        #expect(event.detail?.contains(ours) == true, "\(event.detail ?? "")")
        #expect(event.detail?.contains(#""field":"mtu","observed":"1400","pid":null,"program":null"#) == true)
    }

    @Test func moreThanTenRepairsWithinAMinuteSuspend() async throws {
        let daemon = try await Daemon.withTunnel(.enforce)
        let rival = ChangeAuthor(pid: 77, program: "rivald")
        for _ in 0..<10 { try await daemon.change([.addAddress(try address("10.1.1.1/24"))], by: rival) }
        try daemon.expectAgreement()
        try await daemon.change([.addAddress(try address("10.1.1.1/24"))], by: rival)
        var status = try daemon.status("tun_1")
        #expect(status.state == .drifted)
        #expect(status.problem?.code == .repairSuspended)
        for word in ["rivald (pid 77)", "addresses", "10.1.1.1/24", "10 times", "drift_policy"] {
            #expect(status.problem?.detail.contains(word) == true, "\(word): \(status.problem?.detail ?? "")")
        }
        #expect(daemon.link("tun_1")?.addresses.count == 2)
        #expect(try daemon.events().suffix(2) == [.drifted, .repairSuspended])
        #expect(try daemon.ledger().count == 11)
        // What goes on meanwhile is neither repaired nor recorded, and no tick repairs it.
        for mtu in 1400..<1420 { try await daemon.change([.setMTU(mtu)]) }
        #expect(try daemon.ledger().count == 11)
        let begun = daemon.time.uptime
        await daemon.advance(by: .seconds(55))
        #expect(try daemon.status("tun_1").state == .drifted)
        await daemon.advance(by: .seconds(10))
        try daemon.expectAgreement()
        #expect(daemon.time.uptime - begun < .seconds(66))
        #expect(try daemon.ledger().suffix(2).allSatisfy { $0.hasSuffix(": repaired") })
        // The quarrel goes on: now it is left alone for two minutes.
        for _ in 0..<11 { try await daemon.change([.setMTU(1400)]) }
        await daemon.advance(by: .seconds(100))
        status = try daemon.status("tun_1")
        #expect(status.problem?.code == .repairSuspended)
        #expect(status.problem?.detail.contains("the kernel doesn't tell") == true)
        await daemon.advance(by: .seconds(30))
        try daemon.expectAgreement()
        #expect(try daemon.events().filter { $0 == .repairSuspended }.count == 2)
    }

    @Test(arguments: [true, false]) func anyWriteEndsASuspension(changes: Bool) async throws {
        let daemon = try await Daemon.withTunnel(.enforce)
        for _ in 0..<11 { try await daemon.change([.setMTU(1400)]) }
        #expect(try daemon.status("tun_1").problem?.code == .repairSuspended)
        var wanted = try daemon.tunnel.definition
        if changes { wanted.comment = "changed" }
        let answer = await daemon.write(.put(wanted))
        #expect(answer.word == (changes ? "changed" : "unchanged"))
        #expect(answer.view?.status.state == .up)
        #expect(answer.view?.status.problem == nil)
        try daemon.expectAgreement()
        #expect(try daemon.ledger().last == "mtu 1300 1400: superseded")
        // Ten are free again, and the former wait's end does nothing.
        for _ in 0..<10 { try await daemon.change([.setMTU(1400)]) }
        try daemon.expectAgreement()
        await daemon.advance(by: .seconds(70))
        try daemon.expectAgreement()
    }

    @Test func aRivalThatGivesUpIsSeenBeforeTheEnd() async throws {
        let daemon = try await Daemon.withTunnel(.enforce)
        for _ in 0..<11 { try await daemon.change([.setMTU(1400)]) }
        try await daemon.change([.setMTU(1300)])
        try daemon.expectAgreement()
        #expect(try daemon.ledger().last == "mtu 1300 1400: withdrawn")
    }

    @Test func aLinkInAnothersPlaceIsRecordedAsItIs() async throws {
        let daemon = try await Daemon()
        for number in 1...2 { await daemon.write(.create(try definition(number))) }
        let links = try (1...2).map { try #require(daemon.link("tun_\($0)")).ifindex }
        try daemon.plane.edit { state in
            for ifindex in links { try state.host.perform(.setUp(false), on: ifindex) }
            try state.host.perform(.rename(to: try name("x")), on: links[0])
            try state.host.perform(.rename(to: try name("tun_1")), on: links[1])
            try state.host.perform(.rename(to: try name("tun_2")), on: links[0])
        }
        await daemon.kernelChanged()
        await daemon.kernelChanged()
        try daemon.expectAgreement()
        for (number, other) in [(1, 2), (2, 1)] {
            let view = try daemon.view("tun_\(number)")
            let tunnel = try #require(view).tunnel
            let rows = try daemon.store.drifts(of: tunnel.id, before: nil, limit: 10, isOpen: false)
            let name = rows.filter { $0.field == "name" }
            #expect(name.map(\.observed) == ["tun_\(other)"])
            #expect(rows.allSatisfy { $0.end?.outcome == .repaired && $0.field != "link" })
        }
    }

    @Test func aRowThatCannotBeWrittenNowIsWrittenLater() async throws {
        let daemon = try await Daemon.withTunnel(.alert)
        try await daemon.store.queue.write { try $0.execute(sql: "ALTER TABLE drift RENAME TO hidden") }
        try await daemon.change([.setMTU(1400)])
        #expect(try daemon.status("tun_1").state == .drifted)
        try await daemon.store.queue.write { try $0.execute(sql: "ALTER TABLE hidden RENAME TO drift") }
        try await daemon.change([.addAddress(try address("10.1.1.1/24"))])
        #expect(try daemon.ledger() == ["mtu 1300 1400: open", "addresses absent 10.1.1.1/24: open"])
    }
}

@Suite struct AlertTests {
    @Test(arguments: DriftTests.cases) func nothingIsTouched(_ row: DriftTests.Case) async throws {
        let daemon = try await Daemon.withTunnel(.alert)
        try await daemon.change(try row.operation())
        let host = daemon.plane.host.links
        let applied = daemon.plane.applied.count
        #expect(Set(try daemon.ledger()) == Set(row.drift.map { $0 + ": open" }))
        #expect(try daemon.status("tun_1").state == .drifted)
        #expect(
            Set(try daemon.status("tun_1").drift.map(\.field))
                == Set(row.drift.map { $0.prefix { $0 != " " } }.map(String.init)))
        let view = try daemon.view("tun_1")
        for _ in 0..<3 { await daemon.advance(by: .seconds(30)) }
        #expect(daemon.plane.host.links == host && daemon.plane.applied.count == applied)
        #expect(try daemon.ledger().count == row.drift.count)
        #expect(try daemon.events() == [.created, .drifted])
        #expect(try daemon.view("tun_1") === view)
        // A write brings it to the definition.
        let answer = await daemon.write(.put(try daemon.tunnel.definition))
        #expect(answer.view?.status.state == .up)
        try daemon.expectAgreement()
        #expect(Set(try daemon.ledger()) == Set(row.drift.map { $0 + ": superseded" }))
    }

    @Test func whatGoesAwayByItselfIsWithdrawn() async throws {
        let daemon = try await Daemon.withTunnel(.alert)
        try await daemon.change([.setMTU(1400), .addAddress(try address("10.1.1.1/24"))])
        try await daemon.change([.setMTU(1300)])
        #expect(try daemon.status("tun_1").state == .drifted)
        #expect(
            Set(try daemon.ledger()) == ["mtu 1300 1400: withdrawn", "addresses absent 10.1.1.1/24: open"])
        try await daemon.change([.removeAddress(try address("10.1.1.1/24"))])
        try daemon.expectAgreement()
        #expect(try daemon.ledger().allSatisfy { $0.hasSuffix(": withdrawn") })
        #expect(try daemon.events() == [.created, .drifted, .repaired])
    }

    @Test func theSameFieldChangedAgainIsAnotherRow() async throws {
        let daemon = try await Daemon.withTunnel(.alert)
        try await daemon.change([.setMTU(1400)])
        try await daemon.change([.setMTU(1400)])
        try await daemon.change([.setMTU(1200)])
        #expect(try daemon.ledger() == ["mtu 1300 1400: superseded", "mtu 1300 1200: open"])
        #expect(try daemon.status("tun_1").drift.map(\.observed) == ["1200"])
        #expect(try daemon.events() == [.created, .drifted, .drifted])
    }

    @Test func aRestartKnowsTheOpenRows() async throws {
        let first = try await Daemon.withTunnel(.alert)
        try await first.change([.setMTU(1400), .addAddress(try address("10.1.1.1/24"))])
        await first.reconciler.stop()
        var host = first.plane.host
        // While no daemon runs, one goes away and another comes.
        let ifindex = try #require(host.link(named: "tun_1")).ifindex
        try host.perform(.removeAddress(try address("10.1.1.1/24")), on: ifindex)
        try host.perform(.removeRoute(try route("10.0.1.0/24")), on: ifindex)
        let second = try await Daemon(store: first.store, host: host)
        #expect(second.plane.applied.isEmpty)
        #expect(try second.status("tun_1").state == .drifted)
        #expect(
            Set(try second.status("tun_1").drift.filter { $0.repairedAt == nil }.map(\.field)) == ["mtu", "routes"])
        #expect(
            Set(try second.ledger()) == [
                "mtu 1300 1400: open", "addresses absent 10.1.1.1/24: withdrawn",
                "routes 10.0.1.0/24 metric 0 absent: open",
            ])
        let third = try await Daemon(store: first.store, host: host)
        #expect(try third.ledger().count == 3)
        #expect(try third.events().filter { $0 == .drifted }.count == 2)
        await third.write(.put(try definition(1) { $0.driftPolicy = .alert }))
        try third.expectAgreement()
        #expect(try third.store.openDrifts() == [])
    }

    @Test func aGoneLinkIsMadeAtAStartAlone() async throws {
        let first = try await Daemon.withTunnel(.alert)
        try await first.change([.delete])
        await first.advance(by: .seconds(65))
        #expect(first.link("tun_1") == nil)
        #expect(try first.status("tun_1").ifindex == nil)
        let second = try await Daemon(store: first.store, host: first.plane.host)
        try second.expectAgreement()
        #expect(try second.ledger() == ["link present absent: repaired"])
        // After a boot that is no drift at all.
        let third = try await Daemon(store: first.store, host: ModelHost())
        try third.expectAgreement()
        #expect(try third.ledger().count == 1)
    }

    @Test func theUnderlaysMTUIsFollowedAllTheSame() async throws {
        let daemon = try await Daemon.withTunnel(.alert) { $0.mtu = nil }
        try await daemon.change([.addAddress(try address("10.1.1.1/24"))])
        daemon.plane.edit { $0.host.pathMTU = 1400 }
        await daemon.kernelChanged()
        #expect(daemon.link("tun_1")?.mtu == 1380)
        #expect(daemon.link("tun_1")?.addresses.count == 2)
        // Somebody's change of it isn't the underlay's.
        try await daemon.change([.setMTU(1000)])
        await daemon.advance(by: .seconds(60))
        #expect(daemon.link("tun_1")?.mtu == 1000)
        #expect(try daemon.ledger() == ["addresses absent 10.1.1.1/24: open", "mtu 1380 1000: open"])
    }

    @Test func anAsynchronousWriteIsBroughtToTheKernel() async throws {
        let daemon = try await Daemon.withTunnel(.alert)
        var wanted = try daemon.tunnel.definition
        wanted.mtu = 1250
        await daemon.write(.put(wanted), isAsynchronous: true)
        await daemon.advance()
        #expect(daemon.link("tun_1")?.mtu == 1250)
        #expect(try daemon.ledger() == [])
    }
}

@Suite struct PaceTests {
    @Test func tenWithinAMinuteAndTheWaitsDoubleUpToTen() {
        var pace = RepairPace()
        func admits(_ time: Duration) -> Bool { pace.admit(at: time) }
        for second in 0..<10 { #expect(admits(.seconds(second)) == true) }
        #expect(admits(.seconds(59)) == false)
        #expect(admits(.seconds(60)) == true)
        #expect(admits(.seconds(60)) == false)
        var now = Duration.seconds(100)
        var pauses: [Duration] = []
        for _ in 0..<6 {
            pauses.append(pace.suspend(at: now))
            now += pauses[pauses.count - 1] + .seconds(5)
        }
        #expect(pauses == [60, 120, 240, 480, 600, 600].map { .seconds($0) })
        let later = pace.suspend(at: now + .seconds(600))
        #expect(later == .seconds(60))
    }
}
