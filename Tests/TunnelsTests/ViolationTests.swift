import Testing
import Tunnels

@Suite struct ViolationTests {
    private func pointers(_ edit: (inout TunnelDefinition) throws -> Void) throws -> [String] {
        try definition(edit).violations().map(\.pointer)
    }

    @Test func theLeastDefinitionHasNone() throws {
        #expect(try pointers { _ in } == [])
    }

    @Test func aFullDefinitionHasNone() throws {
        let pointers = try pointers {
            $0.local = IPv4Address(172, 16, 16, 22)
            $0.addresses = try [address("192.168.1.1/24"), address("10.9.9.1 peer 10.9.9.2/32")]
            $0.routes = try [route("10.20.0.0/16", metric: 100), route("0.0.0.0/0")]
            ($0.mtu, $0.ttl, $0.tos, $0.fwmark) = (1400, .fixed(64), .fixed(0xB8), .max)
            $0.underlay = try name("eth0")
            $0.labels = ["site": "a", "x/y_z.A-9": ""]
            $0.comment = "日本"
        }
        #expect(pointers == [])
    }

    @Test(arguments: [
        "0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255",
    ])
    func anEndThatIsNoHost(_ text: String) throws {
        let end = try #require(IPv4Address(text))
        #expect(try pointers { $0.remote = end } == ["/remote"])
        #expect(try pointers { $0.local = end } == ["/local"])
    }

    @Test func bothEndsTheSame() throws {
        #expect(try pointers { $0.local = $0.remote } == ["/remote"])
    }

    @Test func itsOwnUnderlay() throws {
        #expect(try pointers { $0.underlay = $0.name } == ["/underlay"])
    }

    @Test(arguments: [(Int.min, 1), (0, 1), (67, 1), (68, 0), (65_515, 0), (65_516, 1), (Int.max, 1)])
    func mtu(_ mtu: Int, _ count: Int) throws {
        #expect(try pointers { $0.mtu = mtu } == Array(repeating: "/mtu", count: count))
    }

    @Test(arguments: [
        (HeaderField.inherit, true, 0), (.inherit, false, 0), (.fixed(1), true, 0), (.fixed(255), true, 0),
        (.fixed(64), false, 1), (.fixed(0), true, 1), (.fixed(0), false, 2),
    ])
    func ttl(_ ttl: HeaderField, _ pmtudisc: Bool, _ count: Int) throws {
        let pointers = try pointers { ($0.ttl, $0.pmtudisc) = (ttl, pmtudisc) }
        #expect(pointers == Array(repeating: "/ttl", count: count))
    }

    @Test(arguments: [(UInt8(0), 0), (1, 1), (2, 1), (3, 1), (4, 0), (252, 0), (255, 1)])
    func tos(_ tos: UInt8, _ count: Int) throws {
        #expect(try pointers { $0.tos = .fixed(tos) } == Array(repeating: "/tos", count: count))
    }

    @Test func aMarkOfZeroIsNone() throws {
        #expect(try pointers { $0.fwmark = 0 } == ["/fwmark"])
        #expect(try pointers { $0.fwmark = 1 } == [])
    }

    @Test(arguments: [
        "192.168.1.0/24", "192.168.1.255/24", "192.168.1.0/30", "192.168.1.3/30", "127.0.0.1/8",
        "224.0.0.1/32",
        "240.0.0.1/32", "0.0.0.1/32", "10.0.0.1 peer 127.0.0.1/32", "10.0.0.1 peer 224.0.0.1/32",
        "0.0.0.0 peer 10.0.0.1/32", "255.255.255.255/32",
    ])
    func anAddressThatNoHostHas(_ text: String) throws {
        #expect(try pointers { $0.addresses = [try address(text)] } == ["/addresses/0"])
    }

    @Test(arguments: [
        "192.168.1.0/31", "192.168.1.1/31", "192.168.1.0/32", "192.168.1.255/32", "192.168.1.255/16",
        "10.0.0.0 peer 10.0.0.1/32", "10.0.0.1 peer 10.9.0.0/16",
    ])
    func anAddressThatAHostMayHave(_ text: String) throws {
        #expect(try pointers { $0.addresses = [try address(text)] } == [])
    }

    @Test func anAddressGivenTwice() throws {
        let twice = try pointers {
            $0.addresses = try [
                address("10.0.0.1/24"), address("10.0.0.2/24"), address("10.0.0.1/24"),
                address("10.0.0.1/32"),
                address("10.0.0.1 peer 10.0.0.9/32"), address("10.0.0.1 peer 10.0.0.9/24"),
            ]
        }
        #expect(twice == ["/addresses/2", "/addresses/3", "/addresses/5"])
    }

    @Test func tooManyAddresses() throws {
        func many(_ count: Int) -> [InterfaceAddress] {
            (1...count).map { InterfaceAddress(local: IPv4Address(10, 0, 0, UInt8($0)), prefixLength: 32) }
        }
        #expect(try pointers { $0.addresses = many(DefinitionLimits.addresses) } == [])
        #expect(try pointers { $0.addresses = many(DefinitionLimits.addresses + 1) } == ["/addresses"])
    }

    @Test func aRouteGivenTwice() throws {
        let twice = try pointers {
            $0.routes = try [route("10.0.0.0/8"), route("10.0.0.0/8", metric: 1), route("10.0.0.0/8")]
        }
        #expect(twice == ["/routes/2"])
    }

    @Test(arguments: ["127.0.0.0/8", "127.1.0.0/16", "224.0.0.0/4", "239.1.1.1/32"])
    func aRouteToWhatIsNotRouted(_ text: String) throws {
        #expect(try pointers { $0.routes = [try route(text)] } == ["/routes/0/to"])
    }

    @Test(arguments: ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "10.1.2.3/32"])
    func aRouteThatMayBe(_ text: String) throws {
        #expect(try pointers { $0.routes = [try route(text)] } == [])
    }

    @Test func tooManyRoutes() throws {
        func many(_ count: Int) -> [TunnelRoute] {
            (0..<count).map {
                TunnelRoute(
                    to: IPv4Prefix(containing: IPv4Address(bits: 0x0A00_0000 + UInt32($0)), length: 32))
            }
        }
        #expect(try pointers { $0.routes = many(DefinitionLimits.routes) } == [])
        #expect(try pointers { $0.routes = many(DefinitionLimits.routes + 1) } == ["/routes"])
    }

    @Test func aCommentIsBoundedInBytes() throws {
        #expect(try pointers { $0.comment = String(repeating: "ä", count: 512) } == [])
        #expect(try pointers { $0.comment = String(repeating: "ä", count: 513) } == ["/comment"])
        #expect(try pointers { $0.comment = "a\0b" } == ["/comment"])
    }

    @Test func labelsAreBounded() throws {
        let keys = (0...DefinitionLimits.labels).map { ("k\($0)", "") }
        #expect(try pointers { $0.labels = Dictionary(uniqueKeysWithValues: keys.dropLast()) } == [])
        #expect(try pointers { $0.labels = Dictionary(uniqueKeysWithValues: keys) } == ["/labels"])
        #expect(
            try pointers {
                $0.labels = [String(repeating: "k", count: 63): String(repeating: "v", count: 255)]
            } == [])
        #expect(try pointers { $0.labels = [String(repeating: "k", count: 64): ""] }.count == 1)
        #expect(try pointers { $0.labels = ["k": String(repeating: "v", count: 256)] } == ["/labels/k"])
        #expect(try pointers { $0.labels = ["k": "a\0"] } == ["/labels/k"])
    }

    @Test(arguments: [
        ("", "/labels/"), ("a b", "/labels/a b"), ("ä", "/labels/ä"), ("~/é", "/labels/~0~1é"),
        ("a:b", "/labels/a:b"),
    ])
    func aLabelsKeyStandsInThePointer(_ key: String, _ pointer: String) throws {
        #expect(try pointers { $0.labels = [key: "v"] } == [pointer])
    }

    @Test func allAreTold() throws {
        let pointers = try pointers {
            $0.remote = IPv4Address(127, 0, 0, 1)
            $0.mtu = 1
            $0.fwmark = 0
            $0.addresses = [try address("10.0.0.0/24")]
            $0.routes = [try route("127.0.0.0/8")]
            $0.comment = "\0"
        }
        #expect(pointers == ["/remote", "/mtu", "/fwmark", "/addresses/0", "/routes/0/to", "/comment"])
    }
}
