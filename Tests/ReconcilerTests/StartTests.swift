import Foundation
import ModelHost
import Synchronization
import Testing
import Tunnels

@testable import Reconciler
@testable import TunnelStore

/// A daemon that begins where another ended, however that was.
@Suite struct StartTests {
    @Test func withEverythingInPlaceNothingIsApplied() async throws {
        let first = try await Daemon()
        for number in 1...20 {
            await first.write(.create(try definition(number) { $0.enabled = number > 3 }))
        }
        await first.reconciler.stop()
        let second = try await Daemon(store: first.store, host: first.plane.host)
        #expect(second.plane.applied.isEmpty)
        try second.expectAgreement()
        #expect(second.reconciler.directory.views.map(\.status.epoch) == Array(repeating: 1, count: 20))
        #expect(second.reconciler.directory.views.allSatisfy { $0.status.drift.isEmpty })
        #expect(try second.events().allSatisfy { $0 == .created })
    }

    @Test func afterARebootAllLinksAreMadeInOneSend() async throws {
        let first = try await Daemon()
        for number in 1...20 { await first.write(.create(try definition(number))) }
        let second = try await Daemon(store: first.store, host: ModelHost())
        #expect(second.plane.applied.map(\.count) == [20])
        try second.expectAgreement()
        // The counters began again.
        #expect(second.reconciler.directory.views.allSatisfy { $0.status.drift.isEmpty && $0.status.epoch == 2 })
        let third = try await Daemon(store: first.store, host: second.plane.host)
        #expect(third.plane.applied.isEmpty)
        #expect(third.reconciler.directory.views.allSatisfy { $0.status.epoch == 2 })
    }

    @Test func afterACrashOrphansGoAndWhatIsMissingOrWrongIsMadeRight() async throws {
        let first = try await Daemon()
        for number in 1...6 { await first.write(.create(try definition(number))) }
        var host = first.plane.host
        let foreign = host.links.filter { $0.owner == nil }
        // Killed after the kernel took a create and before the commit.
        let orphan = try definition(7)
        var generator = SeededGenerator(seed: 1)
        _ = try host.create(
            TunnelID(at: ManualTime.start, using: &generator), name: "tun_7",
            parameters: LinkParameters(orphan, underlay: 0))
        // A change, a delete and a rename that weren't committed.
        let links = (1...4).compactMap { host.link(named: "tun_\($0)") }
        try host.perform(
            .change(kind: .ipip, parameters: LinkParameters(local: nil, remote: IPv4Address(9, 9, 9, 9))),
            on: links[0].ifindex)
        try host.perform(.delete, on: links[1].ifindex)
        try host.perform(.setUp(false), on: links[2].ifindex)
        try host.perform(.rename(to: try name("renamed")), on: links[2].ifindex)
        // And a second link with a tunnel's mark.
        _ = try host.create(
            links[3].owner, name: "copy",
            parameters: LinkParameters(local: nil, remote: IPv4Address(8, 8, 8, 8)))

        let second = try await Daemon(store: first.store, host: host)
        await second.advance(by: .seconds(1))
        try second.expectAgreement()
        #expect(second.link("tun_1")?.ifindex == links[0].ifindex)
        #expect(second.link("tun_3")?.ifindex == links[2].ifindex)
        #expect(second.link("tun_4")?.ifindex == links[3].ifindex)
        #expect(second.plane.host.links.filter { $0.owner == nil } == foreign)
        #expect(second.plane.host.links.count == foreign.count + 6)
        #expect(second.reconciler.counters.pruned.load(ordering: .relaxed) == 2)
    }

    @Test func oneThatFailsDoesNotKeepTheOthersDown() async throws {
        let first = try await Daemon()
        for number in 1...3 { await first.write(.create(try definition(number))) }
        var host = ModelHost()
        host.addForeign(name: "tun_2", kind: "dummy")
        let second = try await Daemon(store: first.store, host: host)
        #expect(try second.status("tun_1").state == .up)
        #expect(try second.status("tun_2").problem?.code == .nameTaken)
        #expect(try second.status("tun_3").state == .up)
    }

    @Test func aHostThatCannotBeReadAtTheStartIsReadLater() async throws {
        let first = try await Daemon()
        await first.write(.create(try definition(1)))
        let plane = FakeDataPlane()
        plane.edit { $0.unreadable = .refused }
        let second = try await Daemon(store: first.store, plane: plane)
        #expect(try second.status("tun_1").state == .pending)
        plane.edit { $0.unreadable = nil }
        await second.advance(by: .seconds(1))
        try second.expectAgreement()
    }

    @Test func aFileHoldsWhatWasAnswered() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tunneld-\(UUID().uuidString)")
            .path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let host: ModelHost
        let tunnels: [Tunnel]
        do {
            let first = try await Daemon(store: try TunnelStore(path: folder + "/tunneld.db"))
            await first.together(try (1...30).map { .create(try definition($0)) })
            await first.together(try (1...10).map { .put(try definition($0) { $0.mtu = 1300 }) })
            await first.write(.delete(.name(try name("tun_30"))))
            tunnels = try first.store.tunnels()
            host = first.plane.host
        }
        let copy = folder + "/copy.db"
        // What a power cut leaves: the files as they are, the log not checkpointed.
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: folder + "/tunneld.db" + suffix, toPath: copy + suffix)
        }
        let second = try await Daemon(store: try TunnelStore(path: copy), host: host)
        #expect(try second.store.tunnels() == tunnels)
        #expect(tunnels.count == 29)
        #expect(second.plane.applied.isEmpty)
        try second.expectAgreement()
    }
}
