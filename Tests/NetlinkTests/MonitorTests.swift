import Glibc
import Testing

@testable import Netlink

@Suite struct MonitorTests {
    let namespace: NetworkNamespace
    let socket: NetlinkSocket

    init() throws {
        namespace = try NetworkNamespace()
        socket = try namespace.run { try NetlinkSocket() }
    }

    @Test func eachChangeOnceWithItsSender() throws {
        let monitor = try namespace.run { try LinkMonitor() }
        #expect(monitor.fileDescriptor >= 0)
        #expect(try monitor.read().isEmpty)
        var route = Route(IPv4(10, 20, 0, 0), prefixLength: 16, interface: 42)
        route.proto = RouteProtocol(rawValue: 99)
        for outcome in try socket.execute([
            .createLink(LiveTests.ifb("a", index: 42, up: true)),
            .addAddress(Address(IPv4(10, 0, 0, 1), prefixLength: 24, interface: 42)), .addRoute(route),
        ]) { _ = try outcome.get() }
        // The kernel tells before it acknowledges.
        var changes = try monitor.read()
        #expect(!changes.overflowed)
        #expect(changes.interfaces == [42])
        #expect(changes.routeProtocols.isSuperset(of: [.kernel, route.proto]))
        #expect(changes.events.contains { $0.kind == .link && $0.interface == 42 })
        #expect(changes.events.contains(.init(kind: .address, interface: 42, sender: socket.portID)))
        #expect(changes.events.contains { $0.kind == .route(route.proto) && $0.interface == 42 })
        #expect(try monitor.read().isEmpty)

        let stranger = try namespace.run { try NetlinkSocket() }
        try stranger.execute(.deleteRoute(route))
        changes = try monitor.read()
        #expect(
            changes.events == [
                .init(kind: .routeRemoved(route.proto), interface: 42, sender: stranger.portID)
            ])
        #expect(changes.all(by: stranger.portID) && !changes.all(by: socket.portID))
        #expect(changes.interfaces.isEmpty)

        try socket.execute(.deleteLink(42))
        changes = try monitor.read()
        #expect(changes.events.contains { $0.kind == .linkRemoved && $0.interface == 42 })
        #expect(changes.events.contains { $0.kind == .addressRemoved && $0.interface == 42 })
    }

    @Test func aRuleIsHeardOf() throws {
        let monitor = try namespace.run { try LinkMonitor() }
        try namespace.run {
            // Not Foundation's Process: it hears of an end by a socket that other tests' processes may hold open.
            #expect(system("nsenter --net=\(namespace.path) ip rule add fwmark 7 lookup 100") == 0)
        }
        let changes = try monitor.read()
        #expect(changes.events.contains { $0.kind == .rule && $0.interface == 0 })
        #expect(changes.interfaces.isEmpty && changes.routeProtocols.isEmpty)
    }

    @Test func anOverflowIsToldAndSurvived() throws {
        let monitor = try namespace.run { try LinkMonitor(receiveBuffer: 1) }
        let links = (0..<50 as Range<UInt32>).map { LiveTests.ifb("t\($0)", index: 100 + $0) }
        for outcome in try socket.execute(links.map { .createLink($0) }) { _ = try outcome.get() }
        let changes = try monitor.read()
        #expect(changes.overflowed)
        #expect(!changes.all(by: socket.portID))
        #expect(changes.interfaces.count < 50)
        // The caller reads everything again; the monitor goes on.
        #expect(try socket.links(kind: "ifb").count == 50)
        try socket.execute(.setLink(149, LinkChange(mtu: 1000)))
        let next = try monitor.read()
        #expect(!next.overflowed)
        #expect(next.interfaces == [149])
    }

    @Test func anEventThatCannotBeReadCountsAsLost() {
        var changes = Changes()
        changes.take([UInt8](Captured.ipipLink.prefix(20)).span.bytes)
        #expect(changes.overflowed)
    }
}
