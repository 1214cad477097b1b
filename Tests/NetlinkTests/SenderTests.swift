import Testing

@testable import Netlink

/// Reading a little at a time, as one does who wants to know at once.
@Suite struct SenderTests {
    @Test func aFewCallsLeaveTheRest() throws {
        let namespace = try NetworkNamespace()
        let socket = try namespace.run { try NetlinkSocket() }
        let monitor = try namespace.run { try LinkMonitor() }
        let links = (0..<100 as Range<UInt32>).map { LiveTests.ifb("t\($0)", index: 100 + $0) }
        for outcome in try socket.execute(links.map { .createLink($0) }) { _ = try outcome.get() }
        let first = try monitor.read(calls: 1)
        #expect(!first.isEmpty && first.interfaces.count <= LinkMonitor.slots)
        let rest = try monitor.read()
        #expect(first.interfaces.union(rest.interfaces) == Set(100..<200))
        #expect(try monitor.read(calls: 1).isEmpty)
    }
}
