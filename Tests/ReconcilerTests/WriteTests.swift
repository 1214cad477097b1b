import ModelHost
import Testing
import TunnelStore
import Tunnels

@testable import Reconciler

/// One write at a time.
@Suite struct WriteTests {
    @Test func aCreateIsStoredAndInPlaceWhenItIsAnswered() async throws {
        let daemon = try await Daemon()
        let wanted = try definition(1) { $0.comment = "a" }
        let answer = await daemon.write(.create(wanted))
        #expect(answer.word == "created")
        let view = try #require(answer.view)
        #expect(view.tunnel.definition == wanted)
        #expect(view.tunnel.revision == 1)
        #expect(view.tunnel.createdAt == ManualTime.start)
        #expect(view.status.state == .up)
        #expect(view.status.epoch == 1)
        #expect(view.status.reconciledAt == ManualTime.start)
        #expect(view.status.mtu == 1480)
        try daemon.expectAgreement()
        #expect(try daemon.events() == [.created])
        #expect(try daemon.store.events(after: 0, limit: 1).first?.event.actor == "test")
    }

    @Test func aPutCreatesThenChangesNothingThenReplaces() async throws {
        let daemon = try await Daemon()
        #expect(await daemon.write(.put(try definition(1))).word == "created")
        let applies = daemon.plane.applied.count
        let again = await daemon.write(.put(try definition(1)))
        #expect(again.word == "unchanged")
        #expect(again.view?.tunnel.revision == 1)
        #expect(daemon.plane.applied.count == applies)
        await daemon.advance(by: .seconds(1))
        let replaced = await daemon.write(.put(try definition(1) { $0.mtu = 1300 }))
        #expect(replaced.word == "changed")
        #expect(replaced.view?.tunnel.revision == 2)
        #expect(replaced.view?.tunnel.updatedAt.milliseconds == ManualTime.start.milliseconds + 1000)
        #expect(replaced.view?.tunnel.createdAt == ManualTime.start)
        #expect(replaced.view?.status.mtu == 1300)
        try daemon.expectAgreement()
        #expect(try daemon.events() == [.created, .updated])
    }

    /// The kernel knows nothing of comments and labels.
    @Test func aChangeThatIsNotTheLinksIsShownToo() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        let ifindex = try daemon.status("tun_1").ifindex
        let answer = await daemon.write(
            .put(
                try definition(1) {
                    $0.comment = "new"
                    $0.labels = ["site": "b"]
                }))
        #expect(answer.word == "changed")
        #expect(answer.view?.tunnel.definition.comment == "new")
        #expect(answer.view?.tunnel.revision == 2)
        #expect(try daemon.view("tun_1")?.tunnel.definition.labels == ["site": "b"])
        #expect(try daemon.status("tun_1").ifindex == ifindex)
        try daemon.expectAgreement()
        #expect(await daemon.write(.delete(.name(try name("tun_1"))), if: .revision([2])).word == "deleted")
    }

    @Test func aModificationSeesThePresentDefinition() async throws {
        let daemon = try await Daemon()
        let id = try #require(await daemon.write(.create(try definition(1) { $0.comment = "a" })).view).tunnel
            .id
        let answer = await daemon.write(
            .modify(.id(id)) { present in
                var changed = present
                changed.comment += "b"
                changed.enabled = false
                return changed
            })
        #expect(answer.word == "changed")
        #expect(answer.view?.tunnel.definition.comment == "ab")
        #expect(answer.view?.status.state == .down)
        #expect(daemon.link("tun_1")?.isUp == false)
        try daemon.expectAgreement()
    }

    @Test func aModificationThatRefusesLeavesAllAsItIs() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        let answer = await daemon.write(
            .modify(.name(try name("tun_1"))) { (_) throws(WriteRefusal) in
                throw .invalid([Violation("/mtu", "no")])
            })
        #expect(answer.word == "invalid")
        #expect(try daemon.events() == [.created])
        try daemon.expectAgreement()
    }

    @Test func aRenameKeepsTheLinkAndItsIdentity() async throws {
        let daemon = try await Daemon()
        let before = try #require(await daemon.write(.create(try definition(1))).view)
        let to = try name("renamed")
        let answer = await daemon.write(
            .modify(.name(before.tunnel.name)) { present in
                var changed = present
                changed.name = to
                return changed
            })
        #expect(answer.word == "changed")
        #expect(answer.view?.tunnel.id == before.tunnel.id)
        #expect(answer.view?.status.ifindex == before.status.ifindex)
        #expect(answer.view?.status.epoch == 1)
        #expect(try daemon.view("tun_1") == nil)
        #expect(daemon.link("renamed")?.routes.count == 1)
        try daemon.expectAgreement()
        #expect(
            await daemon.write(.create(try definition(1) { $0.remote = IPv4Address(9, 9, 9, 9) })).word
                == "address-taken by renamed /addresses/0")
    }

    @Test func aDeleteTakesRowAndLink() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        let foreign = daemon.plane.host.links.filter { $0.owner == nil }
        #expect(await daemon.write(.delete(.name(try name("tun_1")))).word == "deleted")
        #expect(daemon.plane.host.links == foreign)
        #expect(try daemon.store.tunnels() == [])
        #expect(try daemon.events() == [.created, .deleted])
        #expect(await daemon.write(.delete(.name(try name("tun_1")))).word == "not found")
        try daemon.expectAgreement()
    }

    @Test func aDeleteOfWhatSomebodyDeletedIsSuccess() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        let ifindex = try #require(daemon.link("tun_1")).ifindex
        try daemon.plane.edit { try $0.host.perform(.delete, on: ifindex) }
        #expect(await daemon.write(.delete(.name(try name("tun_1")))).word == "deleted")
        try daemon.expectAgreement()
    }

    @Test func aChangeOfWhatSomebodyDeletedMakesItAnew() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        let ifindex = try #require(daemon.link("tun_1")).ifindex
        try daemon.plane.edit { try $0.host.perform(.delete, on: ifindex) }
        let answer = await daemon.write(.put(try definition(1) { $0.mtu = 1300 }))
        #expect(answer.word == "changed")
        #expect(answer.view?.status.epoch == 2)
        #expect(answer.view?.status.ifindex != ifindex)
        try daemon.expectAgreement()
    }

    @Test func preconditionsAreHeldAgainstThePresentRevision() async throws {
        let daemon = try await Daemon()
        let one = try definition(1)
        let key = TunnelKey.name(one.name)
        let changed = try definition(1) { $0.comment = "x" }
        func words(_ change: Write.Change) async -> [String] {
            var words: [String] = []
            for precondition in [Write.Precondition.exists, .revision([1]), .revision([])] {
                words.append(await daemon.write(change, if: precondition).word)
            }
            return words
        }
        let none = ["precondition: none", "precondition: none", "precondition: none"]
        #expect(await words(.put(one)) == none)
        #expect(await daemon.write(.delete(key), if: .exists).word == "not found")
        #expect(await daemon.write(.create(one), if: .absent).word == "created")
        #expect(await daemon.write(.put(changed), if: .absent).word == "precondition: 1")
        #expect(await daemon.write(.put(changed), if: .revision([2, 3])).word == "precondition: 1")
        #expect(await daemon.write(.modify(key) { $0 }, if: .revision([2])).word == "precondition: 1")
        #expect(await daemon.write(.delete(key), if: .revision([7])).word == "precondition: 1")
        #expect(await daemon.write(.put(changed), if: .revision([5, 1])).word == "changed")
        #expect(await daemon.write(.put(changed), if: .revision([2])).word == "unchanged")
        #expect(await daemon.write(.modify(key) { $0 }, if: .exists).word == "unchanged")
        #expect(await daemon.write(.delete(key), if: .revision([2])).word == "deleted")
        #expect(try daemon.events() == [.created, .updated, .deleted])
        try daemon.expectAgreement()
    }

    @Test func whatIsNotThereCannotBeModified() async throws {
        let daemon = try await Daemon()
        #expect(await daemon.write(.modify(.name(try name("none"))) { $0 }).word == "not found")
    }

    @Test func anAddressThatWouldCarryTheOuterPacketsIsRefused() async throws {
        let daemon = try await Daemon()
        // The way to the remote is a /24; a longer prefix of the tunnel's own would win against it.
        let swallowing = try definition(1) { $0.routes = [try route("172.16.0.0/28")] }
        #expect(await daemon.write(.create(swallowing)).word == "host: route-swallows-remote")
        let shorter = try definition(1) { $0.routes = [try route("172.16.0.0/12")] }
        #expect(await daemon.write(.create(shorter)).word == "created")
        #expect(await daemon.write(.put(swallowing)).word == "host: route-swallows-remote")
        try daemon.expectAgreement()
    }

    @Test func asynchronousWritesAreStoredFirstAndInPlaceAfterTheNextLook() async throws {
        let daemon = try await Daemon()
        let answer = await daemon.write(.create(try definition(1)), isAsynchronous: true)
        #expect(answer.word == "created")
        #expect(answer.view?.status.state == .pending)
        #expect(try daemon.store.tunnels().count == 1)
        #expect(daemon.link("tun_1") == nil)
        await daemon.advance()
        try daemon.expectAgreement()

        let changed = await daemon.write(.put(try definition(1) { $0.mtu = 1300 }), isAsynchronous: true)
        #expect(changed.view?.status.state == .pending)
        #expect(daemon.link("tun_1")?.mtu == 1480)
        await daemon.advance()
        #expect(daemon.link("tun_1")?.mtu == 1300)
        #expect(try daemon.status("tun_1").drift == [])
        try daemon.expectAgreement()

        #expect(await daemon.write(.delete(.name(try name("tun_1"))), isAsynchronous: true).word == "deleted")
        #expect(daemon.link("tun_1") != nil)
        await daemon.advance()
        #expect(daemon.link("tun_1") == nil)
        #expect(try daemon.events() == [.created, .updated, .deleted])
        try daemon.expectAgreement()
    }

    @Test func aNameIsFreeRightAfterItsAsynchronousDelete() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        await daemon.write(.delete(.name(try name("tun_1"))), isAsynchronous: true)
        #expect(await daemon.write(.create(try definition(1))).word == "created")
        await daemon.advance()
        try daemon.expectAgreement()
    }

    @Test func thereAreAsManyTunnelsAsTheLimit() async throws {
        var limits = Reconciler.Limits()
        limits.tunnels = 2
        let daemon = try await Daemon(limits: limits)
        let answers = await daemon.together(try (1...4).map { .create(try definition($0)) })
        #expect(answers.map(\.word) == ["created", "created", "too many: 2", "too many: 2"])
        #expect(await daemon.write(.put(try definition(1) { $0.mtu = 1300 })).word == "changed")
        try daemon.expectAgreement()
    }

    @Test func afterAStopNothingIsWritten() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        let links = daemon.plane.host.links
        await daemon.reconciler.stop()
        #expect(await daemon.write(.create(try definition(2))).word == "stopping")
        #expect(await daemon.write(.delete(.name(try name("tun_1")))).word == "stopping")
        await daemon.advance(by: .seconds(120))
        #expect(daemon.plane.host.links == links)
        try daemon.expectAgreement()
    }
}
