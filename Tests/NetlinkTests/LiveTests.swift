import Glibc
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

    /// Without those that a tunnel driver puts into each namespace when it is loaded.
    func names(_ socket: NetlinkSocket) throws -> Set<String> {
        Set(try socket.links().compactMap(\.name)).subtracting(["tunl0"])
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
        #expect(created.counters != nil)
        #expect(answers[5].link?.alias == "ours")

        let way = try #require(answers[6].route)
        #expect(way.interface == 42)
        #expect(way.preferredSource == IPv4(192, 168, 1, 1))
        #expect(way.prefixLength == 32)
        #expect(way.mtu == 1300)
        let entry = try #require(answers[7].route)
        #expect(entry == route)
        #expect(answers[8].first?.statistics?.index == 42)

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

    @Test func aRefusedOneInTheMiddleStopsNothing() throws {
        let outcomes = try socket.execute([
            .createLink(Self.ifb("a", index: 10)), .createLink(Self.ifb("a", index: 11)),
            .createLink(Link(index: 12, name: "x", info: .plain("nokind"))),
            .createLink(Self.ifb("b", index: 13)),
        ])
        #expect(outcomes[0] == .success([]))
        #expect(outcomes[1] == .failure(NetlinkError(operation: "create link a", code: .exists)))
        #expect(
            outcomes[2]
                == .failure(
                    NetlinkError(
                        operation: "create link x", code: .notSupported, kernelMessage: "Unknown device type")
                ))
        #expect(outcomes[3] == .success([]))
        #expect(try socket.links(kind: "ifb").map(\.index) == [10, 13])
        #expect(try socket.links(kind: "nokind").isEmpty)
        #expect(try names(socket) == ["lo", "a", "b"])
    }

    @Test func aGroupGoesAtOnce() throws {
        let links = (0..<10 as Range<UInt32>).map {
            Self.ifb("t\($0)", index: 100 + $0, group: $0 < 7 ? 77 : 78)
        }
        for outcome in try socket.execute(links.map { .createLink($0) }) { _ = try outcome.get() }
        try socket.execute(.deleteLinks(inGroup: 77))
        #expect(try socket.links(kind: "ifb").map(\.name) == ["t7", "t8", "t9"])
        #expect(throws: NetlinkError(operation: "delete the links of group 77", code: .noDevice)) {
            try socket.execute(.deleteLinks(inGroup: 77))
        }
    }

    @Test func whatIsSetIsRead() throws {
        try socket.execute(.createLink(Self.ifb("a", index: 10)))
        // Before 6.2 a link can't be renamed while it is up.
        try socket.execute(.setLink(10, LinkChange(name: "b")))
        try socket.execute(.setLink(10, LinkChange(up: true)))
        try socket.execute(.setLink(10, LinkChange(mtu: 1234, alias: "ours", group: 9)))
        var link = try #require(try socket.execute(.readLink(10)).link)
        #expect(link.mtu == 1234 && link.name == "b" && link.alias == "ours" && link.group == 9)
        // What isn't given stays.
        #expect(link.flags.contains(.up))
        try socket.execute(.setLink(10, LinkChange(up: false, alias: "")))
        link = try #require(try socket.execute(.readLink(named: "b")).link)
        #expect(!link.flags.contains(.up))
        #expect(link.alias == nil && link.group == 9 && link.mtu == 1234)
    }

    /// Two hosts: a veth pair between two namespaces, and packets that are counted.
    @Test func aPairAcrossNamespaces() throws {
        let other = try NetworkNamespace()
        let far = try other.run { try NetlinkSocket() }
        var peer = Link(index: 20, name: "far")
        peer.namespace = other.reference
        try socket.execute(.createLink(Link(index: 10, name: "near", info: .veth(peer: peer))))
        #expect(try names(far) == ["lo", "far"])
        var near = Address(IPv4(172, 16, 0, 1), prefixLength: 32, interface: 10)
        near.peer = IPv4(172, 16, 0, 2)
        let outcomes = try socket.execute([
            .addAddress(near), .setLink(10, LinkChange(up: true)), .addAddress(near),
        ])
        #expect(outcomes[2].failure?.code == .exists)
        try far.execute(.setLink(20, LinkChange(up: true)))
        let read = try #require(try socket.addresses(interface: 10).first)
        #expect(read.peer == near.peer && read.local == near.local)

        var route = Route(IPv4(10, 0, 0, 0), prefixLength: 8, interface: 10)
        route.gateway = IPv4(172, 16, 0, 2)
        try socket.execute(.addRoute(route))
        #expect(throws: NetlinkError(operation: "add route 10.0.0.0/8", code: .exists)) {
            try socket.execute(.addRoute(route))
        }
        route.mtu = 1111
        try socket.execute(.replaceRoute(route))
        let way = try #require(
            try socket.execute(.lookUpRoute(to: IPv4(10, 9, 8, 7), interface: 10, source: near.local)).route)
        #expect(way.gateway == route.gateway && way.mtu == 1111)

        try socket.execute(.setLink(10, LinkChange(namespace: other.reference)))
        #expect(try names(socket) == ["lo"])
        #expect(try Set(far.links(kind: "veth").map(\.name)) == ["near", "far"])
    }

    /// `ip route change`: the first of its destination and metric, in its place, and only where there is one.
    @Test func aRouteIsChangedInItsPlace() throws {
        for index in [UInt32(10), 11] { try socket.execute(.createLink(Self.ifb("a\(index)", index: index, up: true))) }
        var route = Route(IPv4(10, 20, 0, 0), prefixLength: 16, interface: 10)
        route.scope = .link
        let absent = #expect(throws: NetlinkError.self) { try socket.execute(.changeRoute(route)) }
        #expect(absent?.code == .noSuchEntry)
        try socket.execute(.addRoute(route))
        var second = route
        second.metric = 5
        second.interface = 11
        try socket.execute(.addRoute(second))
        let monitor = try namespace.run { try LinkMonitor() }
        route.proto = RouteProtocol(rawValue: 99)
        try socket.execute(.changeRoute(route))
        #expect(
            try monitor.read().events == [
                .init(kind: .route(route.proto), interface: 10, sender: socket.portID)
            ])
        let routes = try socket.routes(RouteFilter(table: Route.mainTable))
        #expect(routes.map(\.proto) == [route.proto, .static])
        #expect(routes.map(\.interface) == [10, 11])
    }

    @Test func addressesOfIPv6AreCountedByLink() throws {
        try socket.execute(.createLink(Self.ifb("a", index: 10, up: true)))
        // The link's own are the kernel's.
        #expect(try socket.ipv6AddressCounts()[10] == nil)
        #expect(try socket.addresses(interface: 10) == [])
    }

    @Test func nowhereToGoIsAnErrorOfTheKernel() throws {
        let error = #expect(throws: NetlinkError.self) {
            try socket.execute(.lookUpRoute(to: IPv4(11, 0, 0, 1)))
        }
        #expect(error?.code == .networkUnreachable)
        let unknown = #expect(throws: NetlinkError.self) { try socket.addresses(interface: 999) }
        #expect(unknown?.code == .noDevice)
    }

    /// More than one send, and more answers than one buffer may hold.
    @Test func manyAtOnce() throws {
        try socket.execute(.createLink(Self.ifb("a", index: 10, up: true)))
        let routes = (0..<9_000).map { number in
            var route = Route(IPv4(rawValue: 0x0A00_0000 + UInt32(number)), prefixLength: 32, interface: 10)
            route.table = 1000
            return route
        }
        let outcomes = try socket.execute(routes.map { .addRoute($0) } + [.addRoute(routes[0])])
        #expect(outcomes.count == 9_001)
        #expect(outcomes.dropLast().allSatisfy { $0 == .success([]) })
        #expect(outcomes.last?.failure?.code == .exists)
        #expect(try socket.routes(RouteFilter(table: 1000), into: 0) { count, _ in count += 1 } == 9_000)
        let answers = try socket.execute(Array(repeating: .readLink(10), count: 2_000))
        #expect(answers.allSatisfy { (try? $0.get().link?.name) == "a" })
        // More bytes than an ordinary send buffer holds.
        let alias = String(repeating: "x", count: 255)
        let changes = try socket.execute(
            Array(repeating: .setLink(10, LinkChange(alias: alias)), count: 2_000))
        #expect(changes.allSatisfy { $0 == .success([]) })
    }

    /// A receive buffer that holds one answer: each request goes by itself, and none is lost.
    @Test func aSmallReceiveBufferIsMinded() throws {
        let small = try namespace.run { try NetlinkSocket(receiveBuffer: 1) }
        let outcomes = try small.execute(Array(repeating: .setLink(1, LinkChange(mtu: 9000)), count: 50))
        #expect(outcomes.count == 50)
        #expect(outcomes.allSatisfy { $0 == .success([]) })
    }

    /// A receive buffer that holds not even one: the outcome isn't known, and the socket goes on.
    @Test func lostAnswersAreToldAndSurvived() throws {
        let small = try namespace.run { try NetlinkSocket(receiveBuffer: 1) }
        let outcome = try small.execute([.readLink(1)]).first
        #expect(outcome?.failure?.code == .answersLost)
        try small.execute(.setLink(1, LinkChange(mtu: 9000)))
        #expect(try socket.execute(.readLink(1)).link?.mtu == 9000)
    }

    /// In a message of its own, and refused only where there is no IPv6.
    @Test func noAddressesOfIPv6() throws {
        let outcomes = try socket.execute([
            .createLink(Self.ifb("a", index: 10)),
            .setLink(10, LinkChange(ipv6AddressGeneration: .off)),
            .setLink(10, LinkChange(up: true)),
        ])
        #expect(outcomes[0] == .success([]) && outcomes[2] == .success([]))
        #expect(outcomes[1] == .success([]) || outcomes[1].failure?.code == .addressFamilyNotSupported)
    }

    @Test func countersOfTheLoopback() throws {
        try socket.execute(.setLink(1, LinkChange(up: true)))
        let sent = try namespace.run { try sendToDiscardPort(times: 3, bytes: 100) }
        #expect(sent == 3)
        let answer = try socket.execute(.readStatistics(1))
        let statistics = try #require(answer.first?.statistics)
        #expect(statistics.index == 1)
        // Each is carried and refused, on the one link both ways.
        #expect(statistics.counters.txPackets >= 3 && statistics.counters.txBytes >= 3 * 128)
        #expect(statistics.counters.rxPackets == statistics.counters.txPackets)
        #expect(try socket.statistics().contains(statistics))
        #expect(try socket.links().first?.counters == statistics.counters)
    }
}

extension [Message] {
    var link: Link? { first?.link }
    var route: Route? { first?.route }
}

extension NetlinkSocket.Outcome {
    var failure: NetlinkError? { if case .failure(let error) = self { error } else { nil } }
}

/// Sends datagrams to this namespace's loopback; answers how many went.
private func sendToDiscardPort(times: Int, bytes: Int) throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(9).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let payload = [UInt8](repeating: 0, count: bytes)
    return (0..<times).count { _ in
        withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, payload, payload.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                    >= 0
            }
        }
    }
}
