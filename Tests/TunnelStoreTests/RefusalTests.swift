import Testing
import Tunnels

@testable import TunnelStore

@Suite struct RefusalTests {
    let store: TunnelStore
    let first: Tunnel

    init() throws {
        store = try .inMemory()
        first = try fullTunnel(1)
        try store.insert(first, try tunnel(2))
    }

    private var holder: Refusal.Holder { Refusal.Holder(id: first.id, name: first.name) }

    /// The refusal of the tunnel, as a new one and as another's update; neither leaves anything behind.
    private func refusals(of tunnel: Tunnel) throws -> [Refusal?] {
        let before = try store.tunnels()
        let existing = Tunnel(
            id: try id(2), definition: tunnel.definition, revision: 2, createdAt: now, updatedAt: later)
        let refusals = try store.write { (transaction) throws(Never) in
            [
                transaction.attempt { (t) throws(Refusal) in try t.insert(tunnel) },
                transaction.attempt { (t) throws(Refusal) in try t.update(existing) },
            ]
        }
        #expect(try store.tunnels() == before)
        return refusals
    }

    @Test func aNameIsTaken() throws {
        let same = try tunnel(3) { $0.name = first.name }
        #expect(try refusals(of: same) == [.nameTaken(by: holder), .nameTaken(by: holder)])
    }

    @Test func endpointsAreTaken() throws {
        let same = try tunnel(3) {
            $0.local = first.definition.local
            $0.remote = first.definition.remote
            $0.underlay = first.definition.underlay
        }
        #expect(try refusals(of: same) == [.endpointsTaken(by: holder), .endpointsTaken(by: holder)])
    }

    @Test func endpointsWithNothingGivenAreEqualToo() throws {
        let bare = try tunnel(5)
        try store.insert(bare)
        let same = try tunnel(3) { $0.remote = bare.definition.remote }
        let holder = Refusal.Holder(id: bare.id, name: bare.name)
        #expect(try refusals(of: same) == [.endpointsTaken(by: holder), .endpointsTaken(by: holder)])
    }

    @Test func anotherLocalRemoteOrUnderlayIsAnotherPair() throws {
        let base = first.definition
        let variants: [(inout TunnelDefinition) throws -> Void] = [
            { $0.local = nil }, { $0.local = IPv4Address(172, 16, 16, 23) }, { $0.underlay = nil },
            { $0.underlay = try InterfaceName("eth1") }, { $0.remote = IPv4Address(172, 16, 1, 1) },
        ]
        for (offset, edit) in variants.enumerated() {
            let variant = try tunnel(10 + offset) {
                ($0.local, $0.remote, $0.underlay) = (base.local, base.remote, base.underlay)
                try edit(&$0)
            }
            try store.insert(variant)
        }
        #expect(try store.tunnels().count == 2 + variants.count)
    }

    @Test(arguments: ["192.168.1.1/32", "10.9.9.1 peer 10.9.9.2/32"])
    func anAddressIsTakenWhateverItsPrefix(text: String) throws {
        let taken = try address(text)
        let same = try tunnel(3) { $0.addresses = [try address("10.77.0.1/24"), taken] }
        #expect(
            try refusals(of: same) == [.addressTaken(taken, by: holder), .addressTaken(taken, by: holder)])
    }

    @Test func oneAddressTowardsTwoFarEndsIsNoConflict() throws {
        try store.insert(
            try tunnel(3) {
                $0.addresses = try [address("10.9.9.1 peer 10.9.9.3/32"), address("10.9.9.1/32")]
            })
        #expect(try store.tunnels().count == 3)
    }

    @Test func aTunnelIsNotInItsOwnWay() throws {
        var same = first
        same.revision = 3
        try store.write { (transaction) throws(Refusal) in try transaction.update(same) }
        #expect(try store.tunnels().first?.revision == 3)
    }

    @Test func whatIsNotThereIsNotFound() throws {
        let missing = try tunnel(99)
        let refusals = try store.write { (transaction) throws(Never) in
            [
                transaction.attempt { (t) throws(Refusal) in try t.update(missing) },
                transaction.attempt { (t) throws(Refusal) in try t.delete(missing.id) },
            ]
        }
        #expect(refusals == [.notFound, .notFound])
    }

    @Test func anIDGivenTwiceIsTheSchemasRefusal() throws {
        let twin = Tunnel(
            id: first.id, definition: try tunnel(3).definition, revision: 1, createdAt: now, updatedAt: now)
        let refusal = try store.write { (transaction) throws(Never) in
            transaction.attempt { (t) throws(Refusal) in try t.insert(twin) }
        }
        guard case .constraint(let message) = refusal else {
            Issue.record("\(String(describing: refusal))")
            return
        }
        #expect(message.contains("tunnel.id"))
    }

    static let impossible: [(String, @Sendable (inout TunnelDefinition) throws -> Void)] = [
        ("local_is_not_remote", { $0.local = $0.remote }),
        ("underlay_is_another_link", { $0.underlay = $0.name }),
        ("fixed_ttl_needs_pmtudisc", { ($0.ttl, $0.pmtudisc) = (.fixed(1), false) }),
        ("ttl", { $0.ttl = .fixed(0) }),
        ("tos", { $0.tos = .fixed(3) }),
        ("mtu", { $0.mtu = 67 }),
        ("mtu", { $0.mtu = 65_516 }),
        ("fwmark", { $0.fwmark = 0 }),
        ("remote", { $0.remote = IPv4Address(224, 0, 0, 1) }),
        ("remote", { $0.remote = IPv4Address(127, 0, 0, 1) }),
        ("remote", { $0.remote = IPv4Address(0, 1, 2, 3) }),
        ("local", { $0.local = IPv4Address(255, 255, 255, 255) }),
        ("local", { $0.local = IPv4Address(127, 1, 1, 1) }),
        ("local", { $0.addresses = [InterfaceAddress(local: IPv4Address(127, 0, 0, 1), prefixLength: 8)] }),
        ("peer", { $0.addresses = [try address("10.1.1.1 peer 224.0.0.1/32")] }),
        ("tunnel_address", { $0.addresses = try [address("10.1.1.1/24"), address("10.1.1.1/25")] }),
        ("tunnel_route", { $0.routes = try [route("10.1.0.0/16"), route("10.1.0.0/16")] }),
        ("key", { $0.labels = ["": "x"] }),
    ]

    @Test(arguments: impossible.indices)
    func theSchemaRefusesWhatCannotBe(index: Int) throws {
        let (words, edit) = Self.impossible[index]
        for refusal in try refusals(of: try tunnel(3, edit)) {
            guard case .constraint(let message) = refusal else {
                Issue.record("\(words): \(String(describing: refusal))")
                continue
            }
            #expect(message.contains(words))
        }
    }

    @Test func whatTheSchemaRefusesIsAViolationToo() throws {
        for (words, edit) in Self.impossible {
            #expect(try !tunnel(3, edit).definition.violations().isEmpty, "\(words)")
        }
    }
}

extension Transaction {
    /// The refusal, or nil.
    mutating func attempt(_ body: (inout Transaction) throws(Refusal) -> Void) -> Refusal? {
        do throws(Refusal) {
            try body(&self)
            return nil
        } catch {
            return error
        }
    }
}
