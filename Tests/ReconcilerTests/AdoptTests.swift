import GRDB
import ModelHost
import Testing
import Tunnels

@testable import Reconciler
@testable import TunnelStore

@Suite struct AdoptTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let operations: @Sendable () throws -> [Tunnels.Operation]
        let edit: @Sendable (inout TunnelDefinition) throws -> Void

        init(
            _ description: String, _ operations: @escaping @Sendable () throws -> [Tunnels.Operation],
            _ edit: @escaping @Sendable (inout TunnelDefinition) throws -> Void
        ) {
            testDescription = description
            self.operations = operations
            self.edit = edit
        }
    }

    static let cases = [
        Case("down") {
            [.setUp(false)]
        } _: {
            $0.enabled = false
        },
        Case("renamed") {
            [.setUp(false), .rename(to: try name("other")), .setUp(true)]
        } _: {
            $0.name = try name("other")
        },
        Case("mtu") {
            [.setMTU(1400)]
        } _: {
            $0.mtu = 1400
        },
        Case("address gone") {
            [.removeAddress(try address("192.168.0.1/32"))]
        } _: {
            $0.addresses = []
        },
        Case("address too many") {
            [.addAddress(try address("10.1.1.1/24"))]
        } _: {
            $0.addresses.append(try address("10.1.1.1/24"))
        },
        Case("route gone") {
            [.removeRoute(try route("10.0.1.0/24"))]
        } _: {
            $0.routes = []
        },
        Case("route too many") {
            [.addRoute(try route("10.5.0.0/16", metric: 7))]
        } _: {
            $0.routes.append(try route("10.5.0.0/16", metric: 7))
        },
        Case("parameters") {
            let parameters = LinkParameters(
                local: IPv4Address(172, 16, 8, 8), remote: IPv4Address(172, 16, 9, 9), underlay: 2, ttl: .fixed(9),
                tos: .fixed(16), fwmark: 3)
            return [.change(kind: .ipip, parameters: parameters), .setMTU(1300)]
        } _: {
            $0.local = IPv4Address(172, 16, 8, 8)
            $0.remote = IPv4Address(172, 16, 9, 9)
            $0.underlay = try name("eth0")
            $0.ttl = .fixed(9)
            $0.tos = .fixed(16)
            $0.fwmark = 3
        },
    ]

    @Test(arguments: cases) func theDefinitionFollows(_ row: Case) async throws {
        let daemon = try await Daemon.withTunnel(.adopt)
        let before = try daemon.tunnel
        let ifindex = daemon.plane.host.link(of: before.id)?.ifindex
        try await daemon.change(try row.operations())
        var wanted = before.definition
        try row.edit(&wanted)
        let after = try daemon.tunnel
        #expect(after.definition == wanted)
        #expect(after.revision == 2 && after.updatedAt > before.updatedAt)
        try daemon.expectAgreement()
        #expect(daemon.plane.host.link(of: before.id)?.ifindex == ifindex)
        let ledger = try daemon.ledger()
        // Only routes that went with the link's going down are put back.
        #expect(ledger.allSatisfy { $0.hasSuffix(": adopted") || $0.hasPrefix("routes 10.0.1.0/24") }, "\(ledger)")
        #expect(ledger.contains { $0.hasSuffix(": adopted") })
        let events = try daemon.store.events(after: 0, limit: 10).map(\.event)
        #expect(events.prefix(3).map(\.kind) == [.created, .drifted, .updated])
        #expect(events[2].actor == nil && events[2].detail?.contains("differences") == true)
        guard case .tunnel(_, _, let revision) = events[2].subject else { return #expect(Bool(false)) }
        #expect(revision == 2)
    }

    @Test func aLinkTakenDownAndUpKeepsItsRoutes() async throws {
        let daemon = try await Daemon.withTunnel(.adopt)
        let before = try daemon.tunnel
        try await daemon.change([.setUp(false), .setUp(true)])
        #expect(try daemon.tunnel == before)
        try daemon.expectAgreement()
        #expect(try daemon.ledger() == ["routes 10.0.1.0/24 metric 0 absent: repaired"])
        try await daemon.change([.setUp(false)])
        try await daemon.change([.setUp(true)])
        #expect(try daemon.tunnel.definition == before.definition)
        #expect(try daemon.tunnel.revision == 3)
        try daemon.expectAgreement()
    }

    @Test func aGoneLinkIsMadeAnew() async throws {
        let daemon = try await Daemon.withTunnel(.adopt)
        let before = try daemon.tunnel
        try await daemon.change([.delete])
        try daemon.expectAgreement()
        #expect(try daemon.tunnel == before)
        #expect(try daemon.ledger() == ["link present absent: repaired"])
    }

    @Test func whatAnotherTunnelHasIsOnlyTold() async throws {
        let daemon = try await Daemon.withTunnel(.adopt)
        await daemon.write(.create(try definition(2)))
        // The kernel lets two links have an address; the definitions can't.
        try await daemon.change([.addAddress(try address("192.168.0.2/32")), .setMTU(1400)])
        let status = try daemon.status("tun_1")
        #expect(status.state == .drifted && status.problem?.code == .adoptionRefused)
        #expect(status.problem?.detail.contains("the tunnel tun_2 has that address") == true)
        #expect(try daemon.tunnel.definition.mtu == 1400)
        #expect(
            Set(try daemon.ledger()) == ["addresses absent 192.168.0.2/32: open", "mtu 1300 1400: adopted"])
        let (revision, events) = (try daemon.tunnel.revision, try daemon.events())
        await daemon.advance(by: .seconds(90))
        #expect(try daemon.tunnel.revision == revision && daemon.events() == events)
        // It is free now.
        await daemon.write(.delete(.name(try name("tun_2"))))
        await daemon.kernelChanged()
        try daemon.expectAgreement()
        #expect(try daemon.tunnel.definition.addresses.count == 2)
    }

    @Test func whatNoDefinitionCanHaveIsOnlyTold() async throws {
        let daemon = try await Daemon.withTunnel(.adopt) { $0.local = IPv4Address(172, 16, 8, 8) }
        let before = try daemon.tunnel
        let parameters = LinkParameters(local: before.definition.local, remote: nil)
        try await daemon.change([.change(kind: .ipip, parameters: parameters), .setMTU(1300)])
        #expect(try daemon.status("tun_1").problem?.code == .adoptionRefused)
        #expect(try daemon.status("tun_1").state == .drifted)
        #expect(try daemon.tunnel == before)
        #expect(try daemon.ledger() == ["remote 172.16.0.1 any: open"])
        #expect(daemon.link("tun_1")?.parameters?.remote == nil)
        // A route that would carry the tunnel's own packets.
        try await daemon.change([.change(kind: .ipip, parameters: LinkParameters(before.definition, underlay: 0))])
        try daemon.expectAgreement()
        try await daemon.change([.addRoute(try route("172.16.0.0/24"))])
        #expect(try daemon.status("tun_1").problem?.code == .adoptionRefused)
        #expect(try daemon.tunnel == before)
    }

    @Test func whileACheckpointIsPendingItIsOnlyTold() async throws {
        let daemon = try await Daemon.withTunnel(.adopt)
        await daemon.reconciler.hold(true)
        try await daemon.change([.setMTU(1400)])
        #expect(try daemon.status("tun_1").problem == .adoptionHeld)
        #expect(try daemon.tunnel.revision == 1)
        await daemon.reconciler.hold(false)
        await daemon.advance()
        try daemon.expectAgreement()
        #expect(try daemon.tunnel.definition.mtu == 1400)
        #expect(try daemon.ledger() == ["mtu 1300 1400: adopted"])
    }

    @Test func whatIsFoundAtAStartIsAdopted() async throws {
        let first = try await Daemon.withTunnel(.adopt)
        var host = first.plane.host
        let ifindex = try #require(host.link(named: "tun_1")).ifindex
        try host.perform(.setMTU(1400), on: ifindex)
        // Nobody told of a removal: it may have gone with the link's going down.
        try host.perform(.removeRoute(try route("10.0.1.0/24")), on: ifindex)
        let second = try await Daemon(store: first.store, host: host)
        try second.expectAgreement()
        #expect(try second.tunnel.definition.mtu == 1400)
        #expect(try second.tunnel.definition.routes.count == 1)
    }

    @Test func aRefusalByTheDatabaseLeavesAllAsItWas() async throws {
        let daemon = try await Daemon.withTunnel(.adopt)
        let before = try daemon.tunnel
        try await daemon.store.queue.write { try $0.execute(sql: "ALTER TABLE drift RENAME TO hidden") }
        try await daemon.change([.setMTU(1400)])
        #expect(try daemon.tunnel == before)
        #expect(try daemon.store.tunnels() == [before])
        #expect(try daemon.status("tun_1").problem?.code == .adoptionRefused)
        try await daemon.store.queue.write { try $0.execute(sql: "ALTER TABLE hidden RENAME TO drift") }
        await daemon.kernelChanged()
        try daemon.expectAgreement()
        #expect(try daemon.tunnel.definition.mtu == 1400)
        #expect(try daemon.ledger() == ["mtu 1300 1400: adopted"])
    }
}

extension Reconciler {
    fileprivate func hold(_ isHeld: Bool) { holdsAdoption = isHeld }
}
