import Logging
import Synchronization
import Testing
import Tunnels

@testable import Echo

@Suite struct EchoMessageTests {
    private let message = EchoMessage(identifier: 0x1234, sequence: 7, cookie: 0x0102_0304_0506_0708)
    private let address = IPv4Address(192, 168, 1, 254)

    /// What the other end makes of a request: the same with another type, so another checksum.
    private func answer(_ edit: (inout [UInt8]) -> Void = { _ in }) -> [UInt8] {
        var icmp = message.request
        icmp[0] = 0
        (icmp[2], icmp[3]) = (0, 0)
        let checksum = EchoMessage.checksum(of: icmp)
        (icmp[2], icmp[3]) = (UInt8(checksum >> 8), UInt8(checksum & 0xFF))
        var packet: [UInt8] = [0x45, 0, 0, 36, 0, 0, 0, 0, 64, 1, 0, 0, 192, 168, 1, 254, 192, 168, 1, 1] + icmp
        edit(&packet)
        return packet
    }

    @Test func theRequestIsAsRFC792HasIt() {
        let sum: UInt32 = 0x0800 + 0x1234 + 7 + 0x0102 + 0x0304 + 0x0506 + 0x0708
        let checksum = ~UInt16(sum)
        #expect(
            message.request == [
                8, 0, UInt8(checksum >> 8), UInt8(checksum & 0xFF), 0x12, 0x34, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8,
            ])
        #expect(EchoMessage.checksum(of: message.request) == 0)
    }

    @Test func theAnswerIsKnown() {
        #expect(message.isAnswered(by: answer(), from: address))
        // With IP options.
        #expect(
            message.isAnswered(
                by: answer {
                    $0[0] = 0x46
                    $0.insert(contentsOf: [1, 1, 1, 0], at: 20)
                }, from: address))
    }

    @Test func anythingElseIsNoAnswer() {
        #expect(!message.isAnswered(by: [], from: address))
        #expect(!message.isAnswered(by: answer(), from: IPv4Address(192, 168, 1, 253)))
        // Any byte of the ICMP message, a lost or an added one.
        for position in 20..<36 {
            #expect(!message.isAnswered(by: answer { $0[position] ^= 1 }, from: address), "byte \(position)")
        }
        #expect(!message.isAnswered(by: answer { $0.removeLast() }, from: address))
        #expect(!message.isAnswered(by: answer { $0.append(0) }, from: address))
        #expect(!message.isAnswered(by: answer { $0[0] = 0x65 }, from: address))
        #expect(!message.isAnswered(by: answer { $0[0] = 0x41 }, from: address))
        // Our own request, as the loopback link shows it.
        let request = Array(answer().prefix(20)) + message.request
        #expect(!message.isAnswered(by: request, from: address))
    }
}
