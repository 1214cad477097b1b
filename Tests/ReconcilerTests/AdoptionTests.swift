import ModelHost
import Synchronization
import Testing
import TunnelStore
import Tunnels

@testable import Reconciler

/// Links that somebody else made, taken over and let go.
@Suite struct AdoptionTests {
    private let byHand = LinkParameters(local: nil, remote: IPv4Address(172, 16, 9, 9))

    /// A daemon on a host where somebody made `by_hand`, with an address and a route.
    private func daemon(store: TunnelStore? = nil, kind: DataPlaneKind = .kernel) async throws -> Daemon {
        var host = ModelHost()
        let ifindex = host.addForeign(name: "by_hand", kind: "ipip", parameters: byHand)
        host.addAddress(try address("192.168.9.1/24"), on: ifindex)
        try host.addRoute(try route("10.9.0.0/16"), by: ifindex, isOurs: false)
        return try await Daemon(store: store, host: host, plane: FakeDataPlane(kind: kind))
    }

    @discardableResult
    private func adopt(_ daemon: Daemon, _ edit: (inout Write.Adopting) -> Void = { _ in }) async -> Daemon.Answer {
        var wish = Write.Adopting(link: "by_hand")
        edit(&wish)
        return await daemon.write(.adopt(wish))
    }

    private func unmanage(_ daemon: Daemon, if precondition: Write.Precondition? = nil) async throws -> Daemon.Answer {
        await daemon.write(.unmanage(.name(try name("by_hand"))), if: precondition)
    }

    /// As it was, but for what adopting and letting go leave.
    private func expectFree(_ daemon: Daemon, routes: UInt8, _ location: SourceLocation = #_sourceLocation) throws {
        let link = try #require(daemon.link("by_hand"), sourceLocation: location)
        #expect(link.ifindex == 4, sourceLocation: location)
        #expect(link.owner == nil && link.remains == nil && link.isUp, sourceLocation: location)
        #expect(link.addresses == [try address("192.168.9.1/24")], sourceLocation: location)
        #expect(daemon.plane.host.routeProtocol(try route("10.9.0.0/16")) == routes, sourceLocation: location)
    }

    @Test func aLinkBecomesATunnelInItsPlace() async throws {
        let daemon = try await daemon()
        let answer = await adopt(daemon) {
            $0.labels = ["site": "a"]
            $0.comment = "found"
            $0.driftPolicy = .alert
        }
        #expect(answer.word == "created")
        let view = try #require(answer.view)
        #expect(view.status.state == .up)
        #expect(view.status.ifindex == 4)
        #expect(view.status.epoch == 1)
        #expect(view.tunnel.definition.routes == [try route("10.9.0.0/16")])
        #expect(view.tunnel.definition.labels == ["site": "a"])
        #expect(view.tunnel.definition.comment == "found")
        #expect(view.tunnel.definition.driftPolicy == .alert)
        // Nothing but the other half of the mark was asked of the kernel.
        #expect(daemon.plane.applied.flatMap { $0 }.flatMap(\.operations) == [.mark])
        try daemon.expectAgreement()
        #expect(try daemon.events() == [.adopted])
        let event = try #require(try daemon.store.events(after: 0, limit: 1).first?.event)
        #expect(event.actor == "test" && event.labels == ["site": "a"])
        await daemon.advance(by: .seconds(61))
        #expect(daemon.plane.applied.count == 1)
        #expect(try daemon.status("by_hand").drift == [])
    }

    @Test func itIsATunnelAsAnyOther() async throws {
        let daemon = try await daemon()
        await adopt(daemon)
        let changes: [@Sendable (inout TunnelDefinition) throws -> Void] = [
            { $0.remote = IPv4Address(172, 16, 9, 8) }, { $0.local = IPv4Address(172, 16, 16, 22) },
            { $0.ttl = .fixed(9) }, { $0.tos = .fixed(16) }, { $0.fwmark = 5 }, { $0.mtu = 1300 },
            { $0.underlay = try InterfaceName("eth0") }, { $0.addresses.append(try address("192.168.8.1/24")) },
            { $0.routes.append(try route("10.8.0.0/16")) }, { $0.name = try InterfaceName("renamed") },
            { $0.comment = "x" }, { $0.enabled = false }, { $0.enabled = true },
        ]
        let id = try #require(try daemon.view("by_hand")).tunnel.id
        for change in changes {
            let answer = await daemon.write(
                .modify(.id(id)) { (definition) throws(WriteRefusal) in
                    var definition = definition
                    do { try change(&definition) } catch { throw .notFound }
                    return definition
                })
            #expect(answer.word == "changed")
            #expect(answer.view?.status.ifindex == 4)
            try daemon.expectAgreement()
        }
        #expect(await daemon.write(.delete(.id(id))).word == "deleted")
        #expect(daemon.link("renamed") == nil)
    }

    @Test func aRestartFindsItAgain() async throws {
        let first = try await daemon()
        await adopt(first)
        let again = try await Daemon(store: first.store, host: first.plane.host)
        #expect(again.plane.applied == [])
        #expect(try again.status("by_hand").ifindex == 4)
        #expect(try again.status("by_hand").epoch == 1)
        try again.expectAgreement()
    }

    /// No look prunes a link that we didn't make, so it goes before the answer.
    @Test func anAsynchronousDeleteTakesItsLink() async throws {
        let daemon = try await daemon()
        await adopt(daemon)
        let key = TunnelKey.name(try name("by_hand"))
        #expect(await daemon.write(.delete(key), isAsynchronous: true).word == "deleted")
        #expect(daemon.link("by_hand") == nil)
    }

    @Test func lettingGoLeavesItRunning() async throws {
        let daemon = try await daemon()
        await adopt(daemon)
        #expect(try await unmanage(daemon).word == "deleted")
        try expectFree(daemon, routes: RouteProtocols.static)
        #expect(try daemon.view("by_hand") == nil)
        #expect(try daemon.store.tunnels() == [])
        #expect(try daemon.events() == [.adopted, .unmanaged])
        await daemon.advance(by: .seconds(61))
        try expectFree(daemon, routes: RouteProtocols.static)
        let again = try await Daemon(store: daemon.store, host: daemon.plane.host)
        try expectFree(again, routes: RouteProtocols.static)
        #expect(await adopt(again).word == "created")
        try again.expectAgreement()
    }

    /// One that we made keeps its number, which is one of ours.
    @Test func aLinkThatWeMadeIsLetGoToo() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        let ifindex = try daemon.status("tun_1").ifindex
        #expect(await daemon.write(.unmanage(.name(try name("tun_1")))).word == "deleted")
        await daemon.advance(by: .seconds(61))
        #expect(daemon.link("tun_1")?.ifindex == ifindex)
        #expect(await daemon.write(.adopt(Write.Adopting(link: "tun_1"))).word == "created")
        #expect(try daemon.status("tun_1").ifindex == ifindex)
        try daemon.expectAgreement()
    }

    @Test func lettingGoHasPreconditions() async throws {
        let daemon = try await daemon()
        await adopt(daemon)
        #expect(try await unmanage(daemon, if: .revision([7])).word == "precondition: 1")
        #expect(await daemon.write(.unmanage(.name(try name("other")))).word == "not found")
        try daemon.expectAgreement()
    }

    @Test func whatCantBeATunnelIsRefusedAndUntouched() async throws {
        let daemon = try await daemon()
        let before = daemon.plane.host.links
        #expect(await daemon.write(.adopt(Write.Adopting(link: "nothing"))).word == "no link nothing")
        #expect(await daemon.write(.adopt(Write.Adopting(link: "eth0"))).word == "no link eth0")
        #expect(await daemon.write(.adopt(Write.Adopting(link: "tunl0"))).word == "tunl0 not adoptable: name remote")
        #expect(await adopt(daemon) { $0.labels = ["": ""] }.word == "invalid")
        #expect(daemon.plane.host.links == before)
        #expect(daemon.plane.edit { $0.handedOver } == [])
        await adopt(daemon)
        #expect(await adopt(daemon).word == "by_hand not adoptable: name")
        try daemon.expectAgreement()
    }

    @Test func whatAnotherTunnelHasIsRefused() async throws {
        let daemon = try await daemon()
        await daemon.write(.create(try definition(1) { $0.addresses = [try address("192.168.9.1/24")] }))
        #expect(await adopt(daemon).word == "address-taken by tun_1 /addresses/0")
        try expectFree(daemon, routes: RouteProtocols.boot)
    }

    @Test func aFullHostTakesNone() async throws {
        var limits = Reconciler.Limits()
        limits.tunnels = 0
        var host = ModelHost()
        host.addForeign(name: "by_hand", kind: "ipip", parameters: byHand)
        let daemon = try await Daemon(host: host, limits: limits)
        #expect(await adopt(daemon).word == "too many: 0")
    }

    @Test func withProgramsNeitherWayIsOpen() async throws {
        let daemon = try await daemon(kind: .bpf)
        #expect(await adopt(daemon).word == "by_hand not adoptable: data_plane")
        await daemon.write(.create(try definition(1)), isAsynchronous: true)
        #expect(await daemon.write(.unmanage(.name(try name("tun_1")))).word == "unmanage unsupported")
        #expect(try daemon.store.tunnels().count == 1)
    }

    // MARK: - Refused, or killed in between

    @Test func whenTheKernelRefusesAllGoesBack() async throws {
        let daemon = try await daemon()
        // The first step is refused, its way back isn't.
        daemon.plane.edit { $0.refuseHandover = { if case .tunnel = $0.alias { TunnelProblem.refused } else { nil } } }
        #expect(await adopt(daemon).word == "host: kernel-refused")
        try expectFree(daemon, routes: RouteProtocols.boot)
        #expect(try daemon.store.tunnels() == [])
        #expect(try daemon.events() == [])
        daemon.plane.edit { $0.refuseHandover = { _ in nil } }
        await adopt(daemon)
        daemon.plane.edit { $0.refuseHandover = { $0.group == 0 ? TunnelProblem.refused : nil } }
        #expect(try await unmanage(daemon).word == "host: kernel-refused")
        try daemon.expectAgreement()
        #expect(try daemon.events() == [.adopted])
    }

    /// Each state of the kernel that a kill can leave, with the database before or after the commit.
    @Test(arguments: [true, false]) func killedWhileAdopting(isCommitted: Bool) async throws {
        let first = try await daemon()
        let before = first.plane.host
        await adopt(first)
        let store = isCommitted ? first.store : try TunnelStore.inMemory()
        let taking = try #require(first.plane.edit { $0.handedOver }.first)
        var host = before
        host.handOver(taking)
        let daemon = try await Daemon(store: store, host: host)
        let link = try #require(daemon.link("by_hand"))
        #expect(link.ifindex == 4 && link.isUp)
        if isCommitted {
            try daemon.expectAgreement()
            #expect(try daemon.status("by_hand").drift == [])
        } else {
            #expect(daemon.plane.applied == [])
            #expect(await adopt(daemon).word == "created")
            try daemon.expectAgreement()
        }
    }

    @Test(arguments: [true, false]) func killedWhileLettingGo(isCommitted: Bool) async throws {
        let first = try await daemon()
        await adopt(first)
        let before = first.plane.host
        if isCommitted { _ = try await unmanage(first) }
        var host = before
        host.handOver(.loosening(4))
        let daemon = try await Daemon(store: first.store, host: host)
        #expect(daemon.link("by_hand")?.ifindex == 4)
        if isCommitted {
            #expect(daemon.plane.applied == [])
            #expect(await adopt(daemon).word == "created")
        }
        try daemon.expectAgreement()
    }

    /// The same for a link of a number of ours: nobody prunes it at any time.
    @Test func killedWhileAdoptingWhatWeOnceMade() async throws {
        let first = try await Daemon()
        await first.write(.create(try definition(1)))
        await first.write(.unmanage(.name(try name("tun_1"))))
        var host = first.plane.host
        let found = try #require(host.unmanagedTunnel(named: "tun_1"))
        var handover = Handover(ifindex: found.link.ifindex)
        handover.alias = .tunnel(try #require(TunnelID("01890a5d-ac96-7000-8000-000000000001")))
        host.handOver(handover)
        let daemon = try await Daemon(store: first.store, host: host)
        #expect(daemon.link("tun_1") != nil)
    }
}
