import CBPF
import Netlink
import Testing
import Tunnels

@testable import BPFDataPlane
@testable import KernelDataPlane

/// Tunnels as the data plane makes them, on a host whose link is `near`.
@Suite struct CarrierTests {
    let trial: Trial
    let plane: KernelDataPlane

    init() throws {
        trial = try Trial()
        try Self.addUnderlay(trial)
        plane = try Self.start(trial)
    }

    static func addUnderlay(_ trial: Trial) throws {
        try trial.veth()
        let address = Address(IPv4(rawValue: local.bits), prefixLength: 16, interface: 20)
        for request in [.setLink(20, LinkChange(up: true)), .addAddress(address)] as [Request] {
            try trial.socket.execute(request)
        }
    }

    static func start(_ trial: Trial) throws -> KernelDataPlane {
        try trial.namespace.run {
            try BPFDataPlane(host: HostFiles(), changes: ChangeCounter(), watch: HostWatch()).plane
        }
    }

    static let local = IPv4Address(172, 16, 16, 22)

    func tunnel(_ name: String, remote: UInt8 = 62) throws -> Tunnel {
        var generator = SystemRandomNumberGenerator()
        var definition = TunnelDefinition(
            name: try InterfaceName(name), remote: IPv4Address(172, 16, 1, remote))
        definition.local = Self.local
        let now = Timestamp(milliseconds: 0)
        return Tunnel(
            id: TunnelID(at: now, using: &generator), definition: definition, revision: 1, createdAt: now,
            updatedAt: now)
    }

    func create(_ tunnel: Tunnel) throws -> TunnelPlan {
        try plan(for: tunnel, in: ObservedState(links: []))
    }

    @discardableResult
    func apply(_ plans: TunnelPlan..., by plane: KernelDataPlane? = nil) throws -> [AppliedLink?] {
        // Devices are made where the thread is.
        try trial.namespace.run { (plane ?? self.plane).apply(plans) }.map { try $0.get() }
    }

    func delete(_ tunnel: Tunnel, _ link: AppliedLink) -> TunnelPlan {
        .delete(tunnel.id, name: tunnel.name.text, ifindex: link.ifindex)
    }

    @Test(arguments: ["tun_a", "tun_b"])
    func whatIsDeletedGivesWayInTheSameBatch(name: String) throws {
        let former = try tunnel("tun_a")
        let link = try #require(try apply(create(former))[0])
        let made = try apply(create(tunnel(name)), delete(former, link))
        let other = try #require(made[0])
        #expect(try trial.socket.links(kind: "tun").map { Int32($0.index) } == [other.ifindex])
    }

    @Test func aLinkThatSomebodyDeletedHoldsNoEndpoints() throws {
        let tunnel = try tunnel("tun_a")
        let link = try #require(try apply(create(tunnel))[0])
        try trial.socket.execute(.deleteLink(UInt32(link.ifindex)))
        let made = try #require(try apply(create(tunnel))[0])
        #expect(made.ifindex != link.ifindex)
        _ = try plane.observe(for: [tunnel])
        // They are the new link's, and stay that.
        #expect(throws: TunnelProblem.self) { try apply(create(self.tunnel("tun_b"))) }
    }

    /// As a kill leaves them between two writes.
    @Test func endpointsThatNoTunnelHasAreFree() throws {
        let (first, second) = (try tunnel("tun_a"), try tunnel("tun_b", remote: 63))
        let link = try #require(try apply(create(first))[0])
        let endpoints = try trial.namespace.run { try Takeover(trial.socket).programs().endpoints }
        var stale = try #require(try endpoints.entries().first?.key)
        for (remote, index) in [(63, UInt32(link.ifindex)), (64, UInt32(link.ifindex) + 1)] as [(UInt8, UInt32)] {
            stale.remote = IPv4Address(172, 16, 1, remote).bits.bigEndian
            try endpoints.set(index, for: stale)
        }
        let next = try Self.start(trial)
        #expect(try endpoints.entries().map(\.value) == [UInt32(link.ifindex)])
        _ = try next.observe(for: [first])
        try apply(create(second), by: next)
        #expect(try endpoints.entries().count == 2)
    }

    @Test func whatWasLearntOfOneWayIsForgottenOnAnother() throws {
        var tunnel = try tunnel("tun_a")
        let link = try #require(try apply(create(tunnel))[0])
        let index = UInt32(link.ifindex)
        let programs = try trial.namespace.run { try Takeover(trial.socket).programs() }
        let states = programs.states
        let seen = try plane.observe(for: [tunnel])
        var learnt = try #require(try programs.configurations.value(of: index))
        learnt.learnt = 1
        try programs.configurations.set(learnt, for: index)
        try states.set(tun_state(path_mtu_expires_ns: .max, path_mtu: 600, next_id: 5), for: index)

        // Learnt since the last look.
        tunnel.definition.ttl = .fixed(9)
        try apply(plan(for: tunnel, in: seen))
        #expect(try states.value(of: index)?.path_mtu == 600)
        #expect(try programs.configurations.value(of: index)?.learnt == 1)
        tunnel.definition.remote = IPv4Address(172, 16, 1, 63)
        try apply(plan(for: tunnel, in: plane.observe(for: [tunnel])))
        #expect(try states.value(of: index)?.path_mtu == 0)
        #expect(try programs.configurations.value(of: index)?.learnt == 0)
    }

    @Test func theProgramIsToldWhichKindsOfEndpointsThereAre() throws {
        let underlays = try trial.namespace.run { () throws in
            try apply(create(tunnel("tun_a")))
            return try Takeover(trial.socket).programs().underlays
        }
        func none() throws -> [UInt8] { try underlays.value(of: 20).map { [$0.none_bound, $0.none_any] } ?? [] }
        var (anywhere, bound) = (try tunnel("tun_b", remote: 63), try tunnel("tun_c", remote: 64))
        anywhere.definition.local = nil
        bound.definition.underlay = try InterfaceName("near")
        _ = try plane.observe(for: [])
        #expect(try none() == [1, 1])

        let link = try #require(try apply(create(anywhere))[0])
        #expect(try none() == [1, 0])
        let near = try #require(try trial.socket.execute(.readLink(20)).first?.link)
        let other = try #require(try apply(plan(for: bound, in: ObservedState(links: [ObservedLink(near)])))[0])
        #expect(try none() == [0, 0])
        // The next daemon knows of none before it has looked.
        let next = try Self.start(trial)
        #expect(try none() == [0, 0])
        try apply(delete(anywhere, link), delete(bound, other), by: next)
        #expect(try none() == [1, 1])
    }

    /// As one that is moved to another network namespace and back.
    @Test func aNamedUnderlayThatComesBackGetsItsProgramAgain() throws {
        var tunnel = try tunnel("tun_a")
        tunnel.definition.underlay = try InterfaceName("near")
        let near = try #require(try trial.socket.execute(.readLink(20)).first?.link)
        try apply(plan(for: tunnel, in: ObservedState(links: [ObservedLink(near)])))
        _ = try plane.observe(for: [tunnel])
        #expect(try trial.socket.filters(interface: 20, parent: .ingress).count == 1)
        try trial.socket.execute(.deleteLink(20))
        _ = try plane.observe(for: [tunnel])
        try Self.addUnderlay(trial)
        _ = try plane.observe(for: [tunnel])
        #expect(try trial.socket.filters(interface: 20, parent: .ingress).count == 1)
    }

    @Test func whetherProgramsCanWorkIsFoundOutWhileAnotherDoes() throws {
        try trial.tun("tunneld-trial", KernelDataPlane.firstIndex - 1)
        #expect(try trial.namespace.run { BPFDataPlane.obstacle() } == nil)
    }
}
