import GRDB
import ModelHost
import Testing
import Tunnels

@testable import Reconciler
@testable import TunnelStore

/// A kill between the kernel's answer and the commit leaves in the kernel what the database doesn't have.
@Suite struct UnfinishedTests {
    private static let lenient: [DriftPolicy] = [.alert, .adopt]

    @Test(arguments: lenient) func whatAKillLeftOfOurChangeIsNobodysDrift(policy: DriftPolicy) async throws {
        let first = try await Daemon.withTunnel(policy)
        let id = try first.tunnel.id
        try first.store.noteUnfinished([id])
        var host = first.plane.host
        try host.perform(.setMTU(1400), on: try #require(host.link(of: id)).ifindex)
        let daemon = try await Daemon(store: first.store, host: host)
        try daemon.expectAgreement()
        #expect(daemon.link("tun_1")?.mtu == 1300)
        #expect(try daemon.ledger() == [])
        #expect(try daemon.store.unfinished() == [])
    }

    @Test(arguments: lenient) func withoutANoteItIsSomebodyElses(policy: DriftPolicy) async throws {
        let first = try await Daemon.withTunnel(policy)
        await first.kernelChanged()
        var host = first.plane.host
        try host.perform(.setMTU(1400), on: try #require(host.link(of: try first.tunnel.id)).ifindex)
        let daemon = try await Daemon(store: first.store, host: host)
        #expect(daemon.link("tun_1")?.mtu == 1400)
        #expect(try daemon.ledger().count == 1)
    }

    @Test(arguments: DriftPolicy.allCases, ["patch", "put", "apply", "delete"])
    func eachChangeIsNotedBeforeItIsMade(policy: DriftPolicy, kind: String) async throws {
        let daemon = try await Daemon.withTunnel(policy)
        let id = try daemon.tunnel.id
        var wanted = try daemon.tunnel.definition
        wanted.mtu = 1310
        let changed = wanted
        switch kind {
        case "patch": await daemon.write(.modify(.id(id)) { (_) throws(WriteRefusal) in changed })
        case "put": await daemon.write(.put(wanted))
        case "apply": await daemon.apply([wanted])
        default: await daemon.write(.delete(.id(id)))
        }
        #expect(try daemon.store.unfinished() == (policy == .enforce ? [] : [id]))
        await daemon.kernelChanged()
        #expect(try daemon.store.unfinished() == [])
    }

    /// The commit comes before the kernel is asked.
    @Test func whatIsStillToBeDoneIsNoted() async throws {
        let first = try await Daemon.withTunnel(.alert)
        await first.kernelChanged()
        let before = first.plane.host
        var wanted = try first.tunnel.definition
        wanted.mtu = 1310
        await first.write(.put(wanted), isAsynchronous: true)
        let daemon = try await Daemon(store: first.store, host: before)
        try daemon.expectAgreement()
        #expect(daemon.link("tun_1")?.mtu == 1310)
        #expect(try daemon.ledger() == [])
    }

    @Test func aJournalThatTakesNothingRefusesTheWrite() async throws {
        let daemon = try await Daemon.withTunnel(.alert)
        try await daemon.store.queue.write { try $0.execute(sql: "DROP TABLE unfinished") }
        let before = daemon.plane.host
        #expect(await daemon.write(.delete(.id(try daemon.tunnel.id))).word.hasPrefix("storage"))
        #expect(daemon.plane.host.links == before.links)
    }
}
