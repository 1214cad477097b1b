import CMnl
import Testing

@testable import Netlink

/// What a kernel said, both ways: read into the value, and written back into the same bytes.
@Suite struct CapturedTests {
    // A view of bytes can't pass through the macros of the tests.
    func link(_ bytes: [UInt8]) throws -> Link { try Link(bytes.span.bytes) }
    func tunnel(_ bytes: [UInt8]) throws -> IPTunnel { try IPTunnel(bytes.span.bytes) }
    func address(_ bytes: [UInt8]) throws -> Address { try Address(bytes.span.bytes) }
    func route(_ bytes: [UInt8]) throws -> Route { try Route(bytes.span.bytes) }
    func statistics(_ bytes: [UInt8]) throws -> LinkStatistics { try LinkStatistics(bytes.span.bytes) }
    func counters(_ bytes: [UInt8]) throws -> LinkCounters { try LinkCounters(bytes.span.bytes) }

    @Test func ipipLink() throws {
        let link = try self.link(Captured.ipipLink)
        #expect(link.index == 42)
        #expect(link.name == "tun_a")
        #expect(link.flags == [.up, .pointToPoint, .noARP, .running, .lowerUp])
        #expect(link.mtu == 1480)
        #expect(link.group == 77)
        #expect(link.alias == "tunneld:a")
        #expect(link.link == 10)
        #expect(link.operationalState == .unknown)
        #expect(link.hardwareType == 768)
        #expect(link.counters == LinkCounters())
        #expect(link.kind == "ipip")
        var tunnel = IPTunnel(local: IPv4(172, 16, 16, 22), remote: IPv4(172, 16, 1, 63))
        tunnel.link = 10
        tunnel.tos = 16
        tunnel.fwmark = 7
        #expect(link.tunnel == tunnel)
        #expect(tunnel.pmtudisc && tunnel.proto == .ipip && tunnel.encapsulation.type == .none)
    }

    @Test func metadataLink() throws {
        let tunnel = try #require(try link(Captured.metadataLink).tunnel)
        #expect(tunnel.collectMetadata)
        #expect(tunnel.local == .any && tunnel.remote == .any)
    }

    @Test(arguments: [Captured.ipipLink, Captured.metadataLink, Captured.vethLink])
    func aLinkSurvivesWithAllItsAttributes(_ bytes: [UInt8]) throws {
        let link = try self.link(bytes)
        let written = link.body(changing: []).bytes
        #expect(try self.link(written) == link)
        #expect(written.prefix(12) == bytes.prefix(12))
        // The kernel mixes those that are interpreted here with the others; each must come out as it went in.
        // It ends the alias with a NUL, which it would take for a part of one that is sent.
        var before = try attributes(bytes)
        var after = try attributes(written)
        if let alias = link.alias {
            #expect(before.remove(Array([14, 0, 20, 0] + alias.utf8 + [0, 0, 0])) != nil)
            #expect(after.remove(Array([13, 0, 20, 0] + alias.utf8 + [0, 0, 0])) != nil)
        }
        #expect(after == before)
        #expect(written.count == bytes.count)
    }

    /// The attributes of a link with their headers and padding, in no order.
    func attributes(_ body: [UInt8]) throws -> Set<[UInt8]> {
        var all: Set<[UInt8]> = []
        try body.span.bytes.forEachAttribute(after: 16) { _, _, whole in
            var attribute = RawAttributes()
            attribute.append(whole)
            all.insert(attribute.bytes)
        }
        return all
    }

    @Test func everyFieldOfATunnel() throws {
        var tunnel = IPTunnel(local: IPv4(1, 2, 3, 4), remote: IPv4(5, 6, 7, 8))
        tunnel.link = 9
        tunnel.ttl = 64
        tunnel.tos = 1
        tunnel.pmtudisc = false
        tunnel.proto = .any
        tunnel.fwmark = 0x1234_5678
        tunnel.encapsulation.type = .gue
        tunnel.encapsulation.flags = [.checksum, .remoteChecksum]
        tunnel.encapsulation.sourcePort = 0x1234
        tunnel.encapsulation.destinationPort = 5555
        tunnel.collectMetadata = true
        tunnel.flags = 0x0102
        var writer = MessageWriter(UInt32(0))
        tunnel.put(into: &writer)
        let payload = Array(writer.bytes.dropFirst(4))
        #expect(try self.tunnel(payload) == tunnel)
        // Ports and addresses are in network order.
        #expect(payload.contains([8, 0, 2, 0, 1, 2, 3, 4]))
        #expect(payload.contains([6, 0, 17, 0, 0x12, 0x34, 0, 0]))
        #expect(payload.contains([6, 0, 8, 0, 1, 2, 0, 0]))
    }

    @Test func address() throws {
        let address = try self.address(Captured.address)
        #expect(address.local == IPv4(192, 168, 1, 1))
        #expect(address.prefixLength == 24)
        #expect(address.interface == 42)
        #expect(address.peer == nil)
        #expect(address.label == "tun_a")
        #expect(address.flags == .permanent)
        #expect(address.scope == .universe)
        #expect(address.proto == nil)
        #expect(address.other.types == [6])
        #expect(address.body().bytes == Captured.address)
    }

    @Test func addressWithAPeer() throws {
        let address = try self.address(Captured.peerAddress)
        #expect(address.local == IPv4(192, 168, 9, 1))
        #expect(address.peer == IPv4(192, 168, 9, 2))
        #expect(address.broadcast == IPv4(192, 168, 9, 255))
        #expect(address.proto == 5)
        #expect(address.body().bytes == Captured.peerAddress)
    }

    @Test func routeOfALink() throws {
        var route = Route(IPv4(10, 20, 0, 0), prefixLength: 16, interface: 42)
        route.metric = 100
        route.mtu = 1300
        route.proto = RouteProtocol(rawValue: 99)
        route.scope = .link
        #expect(try self.route(Captured.linkRoute) == route)
        #expect(route.body().bytes == Captured.linkRoute)
    }

    @Test func routeThroughAGateway() throws {
        var route = Route(IPv4(10, 30, 0, 0), prefixLength: 16, interface: 42)
        route.gateway = IPv4(192, 168, 1, 9)
        route.preferredSource = IPv4(192, 168, 1, 1)
        route.table = 1000
        #expect(try self.route(Captured.gatewayRoute) == route)
        #expect(route.body().bytes == Captured.gatewayRoute)
    }

    @Test func statistics() throws {
        var counters = LinkCounters()
        counters.rxPackets = 10
        counters.txPackets = 10
        counters.rxBytes = 1420
        counters.txBytes = 1420
        let statistics = try self.statistics(Captured.statistics)
        #expect(statistics == LinkStatistics(index: 1, counters: counters))
        #expect(statistics.body().bytes == Captured.statistics)
    }

    @Test func countersOfOtherKernels() throws {
        // As long as the struct was up to 4.5, today, and may be some day.
        for length in [23, 25, 50] {
            let numbers: [UInt8] = (0..<length).flatMap { [UInt8($0 + 1), 0, 0, 0, 0, 0, 0, 0] }
            let counters = try counters(numbers)
            #expect(counters.rxPackets == 1 && counters.txPackets == 2)
            #expect(counters.rxBytes == 3 && counters.txBytes == 4)
            #expect(counters.rxErrors == 5 && counters.txErrors == 6)
            #expect(counters.rxDropped == 7 && counters.txDropped == 8)
            #expect(counters.txCarrierErrors == 18)
        }
        #expect(throws: Malformed.self) { try self.counters(Array(repeating: 0, count: 143)) }
    }

    @Test(arguments: [Captured.unknownKind, Captured.unknownKindEchoed])
    func refusalInTheKernelsWords(_ bytes: [UInt8]) throws {
        let error = try #require(try acknowledgement(bytes).failure(of: "create link tun_a"))
        #expect(error.code == .notSupported)
        #expect(error.kernelMessage == "Unknown device type")
        #expect(error.attributeOffset == nil)
        #expect(
            error.description == "create link tun_a: EOPNOTSUPP (Operation not supported); the kernel says: "
                + "Unknown device type")
    }

    @Test func refusalWithAnOffset() throws {
        let error = try #require(try acknowledgement(Captured.longName).failure(of: "x"))
        #expect(error.code == .outOfRange)
        #expect(error.errno == 34)
        #expect(error.kernelMessage == "Attribute failed policy validation")
        #expect(error.attributeOffset == 32)
        let plain = try #require(try acknowledgement(Captured.noSuchLink).failure(of: "x"))
        #expect(plain == NetlinkError(operation: "x", code: .noDevice))
        #expect(plain.description == "x: ENODEV (No such device)")
    }

    func acknowledgement(_ datagram: [UInt8]) throws -> Acknowledgement {
        var read: Acknowledgement?
        try datagram.span.bytes.forEachMessage { (header, payload) throws(Malformed) in
            read = try Acknowledgement(error: payload, flags: header.nlmsg_flags)
        }
        return try #require(read)
    }
}

extension [UInt8] {
    func contains(_ part: [UInt8]) -> Bool {
        indices.contains { self[$0...].starts(with: part) }
    }
}
