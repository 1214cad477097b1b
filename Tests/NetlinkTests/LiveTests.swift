import Testing

@testable import Netlink

/// On the real kernel, each in a network namespace of its own.
@Suite struct LiveTests {
    let namespace: NetworkNamespace
    let socket: NetlinkSocket

    init() throws {
        namespace = try NetworkNamespace()
        socket = try namespace.run { try NetlinkSocket() }
    }

    static func ifb(_ name: String, index: UInt32 = 0, group: UInt32? = nil, up: Bool = false) -> Link {
        var link = Link(index: index, name: name, info: .plain("ifb"))
        link.group = group
        link.flags = up ? .up : []
        return link
    }

    @Test func aLinkItsAddressAndItsRouteInOneSend() throws {
        var link = Self.ifb("tun_a", index: 42, group: 7, up: true)
        link.mtu = 1400
        var route = Route(IPv4(10, 20, 0, 0), prefixLength: 16, interface: 42)
        route.metric = 100
        route.proto = RouteProtocol(rawValue: 99)
        route.scope = .link
        route.mtu = 1300
        let address = Address(IPv4(192, 168, 1, 1), prefixLength: 24, interface: 42)
        let outcomes = try socket.execute([
            .createLink(link), .addAddress(address), .addRoute(route), .readLink(42),
            .setLink(42, LinkChange(alias: "ours")), .readLink(named: "tun_a"),
            .lookUpRoute(to: IPv4(10, 20, 3, 4)), .lookUpRoute(to: IPv4(10, 20, 3, 4), matching: .entry),
            .readStatistics(42),
        ])
        let answers = try outcomes.map { try $0.get() }
        #expect(answers.count == 9)
        #expect(answers[0].isEmpty && answers[1].isEmpty && answers[2].isEmpty && answers[4].isEmpty)

        let created = try #require(answers[3].link)
        #expect(created.index == 42)
        #expect(created.name == "tun_a")
        #expect(created.kind == "ifb")
        #expect(created.mtu == 1400)
        #expect(created.group == 7)
        #expect(created.alias == nil)
        #expect(created.flags.isSuperset(of: [.up, .running, .lowerUp]))
        #expect(created.counters == LinkCounters())
        #expect(answers[5].link?.alias == "ours")

        let way = try #require(answers[6].route)
        #expect(way.interface == 42)
        #expect(way.preferredSource == IPv4(192, 168, 1, 1))
        #expect(way.prefixLength == 32)
        #expect(way.mtu == 1300)
        let entry = try #require(answers[7].route)
        #expect(entry == route)
        #expect(answers[8] == [.statistics(LinkStatistics(index: 42, counters: LinkCounters()))])

        let read = try #require(try socket.addresses(interface: 42).first)
        #expect(read.local == address.local)
        #expect(read.prefixLength == 24)
        #expect(read.label == "tun_a")
        #expect(read.flags.contains(.permanent))
        #expect(read.peer == nil)
        #expect(try socket.routes(RouteFilter(table: Route.mainTable, proto: route.proto)) == [route])
        #expect(try socket.routes(RouteFilter(interface: 42)).contains { $0.proto == .kernel })
        #expect(try socket.routes(RouteFilter(table: 12345)).isEmpty)

        try socket.execute(.deleteRoute(route))
        try socket.execute(.deleteAddress(address))
        try socket.execute(.deleteLink(42))
        #expect(try socket.links(kind: "ifb").isEmpty)
        #expect(throws: NetlinkError(operation: "delete link number 42", code: .noDevice)) {
            try socket.execute(.deleteLink(42))
        }
    }
}

extension [Message] {
    var link: Link? { if case .link(let link) = first { link } else { nil } }
    var route: Route? { if case .route(let route) = first { route } else { nil } }
}
