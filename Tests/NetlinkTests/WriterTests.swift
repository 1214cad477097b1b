import Testing

@testable import Netlink

@Suite struct WriterTests {
    @Test func paddingAndNesting() {
        var writer = MessageWriter(UInt16(0xABCD))
        writer.nested(1) { outer in
            outer.put(2, "abc")
            outer.nested(3) { $0.put(4, UInt8(7)) }
            outer.putFlag(5)
        }
        #expect(
            writer.bytes == [
                0xCD, 0xAB, 0, 0, 28, 0, 1, 0, 8, 0, 2, 0, 0x61, 0x62, 0x63, 0, 12, 0, 3, 0, 5, 0, 4, 0, 7, 0,
                0,
                0, 4, 0, 5, 0,
            ])
        #expect(writer.failure == nil)
    }

    @Test func whatDoesNotFitIsRefusedBeforeItIsSent() throws {
        let sent = Sent()
        let socket = NetlinkSocket { request in
            sent.datagrams.append(request)
            return request.messages.map { .acknowledgement(of: $0) }
        }
        let outcomes = try socket.execute([
            .createLink(Link(name: "a", info: .plain("ifb"))),
            .setLink(7, LinkChange(alias: String(repeating: "x", count: 70_000))),
            .setLink(7, LinkChange(name: "nul\0inside")), .deleteLinks(inGroup: 0), .deleteLink(8),
        ])
        #expect(outcomes.map { (try? $0.get()) != nil } == [true, false, false, false, true])
        #expect(throws: NetlinkError.self) { try outcomes[1].get() }
        let error = #expect(throws: NetlinkError.self) { try outcomes[2].get() }
        #expect(error?.code == .invalid)
        #expect(error?.reason == "NUL in a string (attribute 3)")
        #expect(sent.datagrams.map(\.messages.count) == [1, 1])
    }
}

/// What went out, seen from outside of the closure that answers it.
final class Sent {
    var datagrams: [[UInt8]] = []
}
