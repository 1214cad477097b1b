import ModelHost
import Synchronization
import Testing
import TunnelStore
import Tunnels

@testable import Reconciler

/// Somebody else's changes, and what becomes of them.
@Suite struct DriftTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let operation: @Sendable () throws -> [Tunnels.Operation]
        let drift: [String]

        init(
            _ description: String, _ drift: [String],
            _ operation: @escaping @Sendable () throws -> [Tunnels.Operation]
        ) {
            testDescription = description
            self.operation = operation
            self.drift = drift
        }
    }

    static let cases = [
        Case("deleted", ["link present absent"]) { [.delete] },
        Case("down", ["enabled true false", "routes 10.0.1.0/24 metric 0 absent"]) { [.setUp(false)] },
        Case("renamed", ["name tun_1 other", "enabled true false", "routes 10.0.1.0/24 metric 0 absent"]) {
            [.setUp(false), .rename(to: try name("other"))]
        },
        Case("renamed and up again", ["name tun_1 other", "routes 10.0.1.0/24 metric 0 absent"]) {
            [.setUp(false), .rename(to: try name("other")), .setUp(true)]
        },
        Case("mtu", ["mtu 1300 1400"]) { [.setMTU(1400)] },
        Case("address gone", ["addresses 192.168.0.1/32 absent", "routes 10.0.1.0/24 metric 0 absent"]) {
            [.removeAddress(try address("192.168.0.1/32"))]
        },
        Case("address too many", ["addresses absent 10.1.1.1/24"]) {
            [.addAddress(try address("10.1.1.1/24"))]
        },
        Case("route gone", ["routes 10.0.1.0/24 metric 0 absent"]) {
            [.removeRoute(try route("10.0.1.0/24"))]
        },
        Case("route too many", ["routes absent 10.5.0.0/16 metric 7"]) {
            [.addRoute(try route("10.5.0.0/16", metric: 7))]
        },
        Case("parameters", ["remote 172.16.0.1 172.16.9.9", "ttl inherit 9", "fwmark 0 3"]) {
            let parameters = LinkParameters(
                local: nil, remote: IPv4Address(172, 16, 9, 9), ttl: .fixed(9), fwmark: 3)
            return [.change(kind: .ipip, parameters: parameters), .setMTU(1300)]
        },
    ]

    @Test(arguments: cases) func aDriftIsRepairedAndShown(_ row: Case) async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1) { $0.mtu = 1300 }))
        await daemon.write(.create(try definition(2)))
        let ifindex = try #require(daemon.link("tun_1")).ifindex
        let other = daemon.link("tun_2")
        let operations = try row.operation()
        try daemon.plane.edit { state in
            for operation in operations { try state.host.perform(operation, on: ifindex) }
        }
        await daemon.kernelChanged()
        // What the repair of one thing cost is found at the next word of the monitor.
        await daemon.kernelChanged()
        try daemon.expectAgreement()
        let status = try daemon.status("tun_1")
        #expect(status.drift.map { "\($0.field) \($0.desired) \($0.observed)" } == row.drift)
        let found = Timestamp(milliseconds: ManualTime.start.milliseconds + 200)
        #expect(status.drift.allSatisfy { $0.foundAt == found && $0.repairedAt == found })
        #expect(status.epoch == (operations == [.delete] ? 2 : 1))
        #expect((status.ifindex == ifindex) == (operations != [.delete]))
        #expect(daemon.link("tun_2") == other)
        #expect(try daemon.status("tun_2").drift == [])
        #expect(try daemon.events() == [.created, .created, .drifted, .repaired])
        #expect(daemon.reconciler.counters.repairs.load(ordering: .relaxed) == 1)
    }

    @Test func aBurstOfChangesIsLookedAtOnce() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        let looks = daemon.reconciler.counters.looks.load(ordering: .relaxed)
        for _ in 0..<100 { daemon.reconciler.kernelChanged() }
        await daemon.advance(by: .milliseconds(199))
        #expect(daemon.reconciler.counters.looks.load(ordering: .relaxed) == looks)
        await daemon.advance(by: .milliseconds(1))
        #expect(daemon.reconciler.counters.looks.load(ordering: .relaxed) == looks + 1)
    }

    @Test func withoutAMonitorTheSlowTickFindsIt() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        let ifindex = try #require(daemon.link("tun_1")).ifindex
        try daemon.plane.edit { try $0.host.perform(.delete, on: ifindex) }
        await daemon.advance(by: .seconds(29))
        #expect(daemon.link("tun_1") == nil)
        await daemon.advance(by: .seconds(1))
        try daemon.expectAgreement()
        // And ticks on.
        let again = try #require(daemon.link("tun_1")).ifindex
        try daemon.plane.edit { try $0.host.perform(.setUp(false), on: again) }
        await daemon.advance(by: .seconds(30))
        try daemon.expectAgreement()
    }

    @Test func aFollowedMTUFollowsWithoutBeingDrift() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        daemon.plane.edit { $0.host.pathMTU = 1400 }
        await daemon.kernelChanged()
        #expect(daemon.link("tun_1")?.mtu == 1380)
        #expect(try daemon.status("tun_1").drift == [])
        #expect(try daemon.events() == [.created])
        try daemon.expectAgreement()
    }

    @Test func whatMatchesIsNotTouched() async throws {
        let daemon = try await Daemon()
        for number in 1...5 { await daemon.write(.create(try definition(number))) }
        let applies = daemon.plane.applied.count
        let views = daemon.reconciler.directory.views
        for _ in 0..<5 { await daemon.kernelChanged() }
        #expect(daemon.plane.applied.count == applies)
        // Not even a new view, so that what was made of one stays good.
        #expect(zip(views, daemon.reconciler.directory.views).allSatisfy { $0 === $1 })
    }

    @Test func theNewestSixteenDriftsAreKept() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1) { $0.mtu = 1300 }))
        for mtu in 1400..<1420 {
            let ifindex = try #require(daemon.link("tun_1")).ifindex
            try daemon.plane.edit { try $0.host.perform(.setMTU(mtu), on: ifindex) }
            await daemon.kernelChanged()
            // Within the pace of repairs.
            await daemon.advance(by: .seconds(7))
        }
        #expect(try daemon.status("tun_1").drift.map(\.observed) == (1404...1419).reversed().map { "\($0)" })
    }

    @Test func aChangeByItsOwnerForgetsTheDrift() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1) { $0.mtu = 1300 }))
        let ifindex = try #require(daemon.link("tun_1")).ifindex
        try daemon.plane.edit { try $0.host.perform(.setMTU(1400), on: ifindex) }
        await daemon.kernelChanged()
        #expect(try daemon.status("tun_1").drift.count == 1)
        await daemon.write(.put(try definition(1) { $0.mtu = 1350 }))
        #expect(try daemon.status("tun_1").drift == [])
    }

    @Test func aDriftThatCannotBeRepairedAtOnceIsRepairedLater() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1) { $0.mtu = 1300 }))
        let ifindex = try #require(daemon.link("tun_1")).ifindex
        daemon.plane.refuse { _ in true }
        try daemon.plane.edit { try $0.host.perform(.setMTU(1400), on: ifindex) }
        await daemon.kernelChanged()
        #expect(try daemon.status("tun_1").state == .failed)
        #expect(try daemon.status("tun_1").problem == .refused)
        #expect(try daemon.status("tun_1").drift.map(\.repairedAt) == [nil])
        #expect(try daemon.events() == [.created, .drifted, .failed])
        daemon.plane.refuseNothing()
        await daemon.advance(by: .seconds(1))
        try daemon.expectAgreement()
        #expect(try daemon.status("tun_1").drift.count == 1)
        #expect(try daemon.status("tun_1").drift.allSatisfy { $0.repairedAt != nil })
        #expect(try daemon.events() == [.created, .drifted, .failed, .repaired])
        #expect(daemon.reconciler.counters.repairs.load(ordering: .relaxed) == 1)
    }

    @Test func whatSomebodyRepairsByHandIsSeen() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1) { $0.mtu = 1300 }))
        let ifindex = try #require(daemon.link("tun_1")).ifindex
        daemon.plane.refuse { _ in true }
        try daemon.plane.edit { try $0.host.perform(.setMTU(1400), on: ifindex) }
        await daemon.kernelChanged()
        try daemon.plane.edit { try $0.host.perform(.setMTU(1300), on: ifindex) }
        await daemon.kernelChanged()
        try daemon.expectAgreement()
    }

    @Test func aForeignLinkInTheWayIsNamedAndLeftAlone() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        let ifindex = try #require(daemon.link("tun_1")).ifindex
        try daemon.plane.edit { state in
            try state.host.perform(.delete, on: ifindex)
            state.host.addForeign(name: "tun_1", kind: "dummy")
        }
        await daemon.kernelChanged()
        let status = try daemon.status("tun_1")
        #expect(status.state == .failed)
        #expect(status.problem?.code == .nameTaken)
        #expect(daemon.link("tun_1")?.kind == "dummy")
        #expect(try daemon.events() == [.created, .drifted, .failed])
        // It goes away; the tunnel comes back by itself.
        let foreign = try #require(daemon.link("tun_1")).ifindex
        try daemon.plane.edit { try $0.host.perform(.delete, on: foreign) }
        await daemon.advance(by: .seconds(2))
        try daemon.expectAgreement()
        #expect(try daemon.status("tun_1").epoch == 2)
    }

    @Test func aLinkWhoseMarkWasWipedIsForeign() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        let ifindex = try #require(daemon.link("tun_1")).ifindex
        daemon.plane.edit { $0.host.unmark(ifindex) }
        await daemon.kernelChanged()
        #expect(try daemon.status("tun_1").state == .failed)
        #expect(daemon.link("tun_1")?.ifindex == ifindex)
    }
}

@Suite struct BackoffTests {
    @Test func delaysDoubleUpToAMinute() {
        var backoff = Backoff()
        let delays = (0..<14).map { _ in backoff.next() / .milliseconds(1) }
        #expect(
            delays == [
                100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000, 60_000, 60_000,
            ])
    }

    @Test func whatFailsIsTriedEverMoreSlowlyAndAnewAfterASuccess() async throws {
        var limits = Reconciler.Limits()
        limits.settling = .zero
        let daemon = try await Daemon(limits: limits)
        await daemon.write(.create(try definition(1) { $0.mtu = 1300 }))
        let tries: () -> Int = { daemon.plane.applied.flatMap(\.self).filter { $0.name == "tun_1" }.count }
        let disturb = {
            let ifindex = try #require(daemon.link("tun_1")).ifindex
            try daemon.plane.edit { try $0.host.perform(.setMTU(1400), on: ifindex) }
        }
        for _ in 0..<2 {
            daemon.plane.refuse { _ in true }
            try disturb()
            await daemon.kernelChanged(settling: .zero)
            var expected = tries()
            for delay in [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000] {
                await daemon.advance(by: .milliseconds(delay - 1))
                // Neither looks of others nor the tick try it before.
                await daemon.kernelChanged(settling: .zero)
                #expect(tries() == expected)
                await daemon.advance(by: .milliseconds(1))
                expected += 1
                #expect(tries() == expected)
            }
            daemon.plane.refuseNothing()
            await daemon.advance(by: .seconds(60))
            try daemon.expectAgreement()
        }
        // Said once for each time it began.
        #expect(try daemon.events().filter { $0 == .failed }.count == 2)
    }

    @Test func aHostThatCannotBeReadIsReadAgain() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        daemon.plane.edit { $0.unreadable = .refused }
        await daemon.kernelChanged()
        let ifindex = try #require(daemon.link("tun_1")).ifindex
        try daemon.plane.edit { try $0.host.perform(.setUp(false), on: ifindex) }
        await daemon.advance(by: .seconds(5))
        #expect(!daemon.reconciler.canReadKernel)
        daemon.plane.edit { $0.unreadable = nil }
        await daemon.advance(by: .seconds(1))
        try daemon.expectAgreement()
        #expect(daemon.reconciler.canReadKernel)
    }
}
