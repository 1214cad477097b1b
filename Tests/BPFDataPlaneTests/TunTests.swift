import Netlink
import Testing

@testable import BPFDataPlane

@Suite struct TunTests {
    let trial: Trial

    init() throws { trial = try Trial() }

    func create(_ name: String, _ index: UInt32) -> TunError? {
        do {
            try trial.tun(name, index)
            return nil
        } catch {
            return error as? TunError
        }
    }

    @Test func itStaysWithoutAHolder() throws {
        try trial.tun("tun_a", 1000)
        let link = try #require(try trial.socket.execute(.readLink(1000)).first?.link)
        #expect(link.name == "tun_a" && link.kind == "tun")
        // ARPHRD_NONE: bare IP packets.
        #expect(link.hardwareType == 0xFFFE)
        #expect(!link.flags.contains(.up))
        try trial.socket.execute(.setLink(1000, LinkChange(up: true, mtu: 1480, alias: "ours", group: 7)))
        let changed = try #require(try trial.socket.execute(.readLink(1000)).first?.link)
        #expect(changed.flags.contains(.up) && changed.mtu == 1480 && changed.alias == "ours" && changed.group == 7)
        try trial.socket.execute(.deleteLink(1000))
        #expect(try trial.socket.links(kind: "tun").isEmpty)
    }

    @Test func nothingIsAdopted() throws {
        try trial.tun("tun_a", 1000)
        try trial.veth()
        #expect(create("tun_a", 1001) == .taken)
        #expect(create("tun_b", 1000) == .taken)
        #expect(create("near", 1002) == .taken)
        #expect(create("tun_b", 20) == .taken)
        #expect(try trial.socket.links(kind: "tun").map(\.index) == [1000])
    }

    @Test func whatIsNoNameOrIndex() throws {
        for name in ["", "sixteen_letters_", "a%d", "a/b", "a\0b"] {
            #expect(create(name, 1000) == .invalid(name: name, index: 1000))
        }
        #expect(create("tun_a", 0) == .invalid(name: "tun_a", index: 0))
        #expect(create("tun_a", UInt32.max) == .invalid(name: "tun_a", index: UInt32.max))
        #expect(create("fifteen_letters", UInt32(Int32.max)) == nil)
    }

    @Test func oneThatIsHeldGoesWithItsDescriptor() throws {
        let held = try trial.namespace.run { try TunDevice.open(name: "tun_a", index: 1000) }
        #expect(try trial.socket.links(kind: "tun").map(\.index) == [1000])
        withExtendedLifetime(held) {}
    }
}
