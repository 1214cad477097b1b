import CMnl
import Testing

@testable import Netlink

/// Damaged bytes end in an error or an early end, never in a trap.
@Suite struct DamageTests {
    static let bodies: [(Int, [UInt8])] = [
        (RTM_NEWLINK, Captured.ipipLink), (RTM_NEWLINK, Captured.metadataLink),
        (RTM_DELLINK, Captured.vethLink),
        (RTM_NEWADDR, Captured.address), (RTM_DELADDR, Captured.peerAddress),
        (RTM_NEWROUTE, Captured.linkRoute),
        (RTM_DELROUTE, Captured.gatewayRoute), (RTM_NEWSTATS, Captured.statistics),
        (RTM_NEWQDISC, Captured.clsact), (RTM_NEWTFILTER, Captured.filter),
        (RTM_DELTFILTER, Captured.filterPriority),
    ]
    static let datagrams =
        bodies.map { type, body in [UInt8].message(type, sequence: 1, body) }
        + [Captured.unknownKind, Captured.unknownKindEchoed, Captured.longName, Captured.noSuchTable]

    /// Reads a datagram in each way there is; answers whether one of them made sense of it.
    @discardableResult
    func read(_ datagram: [UInt8]) -> Bool {
        var changes = Changes()
        changes.take(datagram.span.bytes)
        do throws(Malformed) {
            try datagram.span.bytes.forEachMessage { (header, payload) throws(Malformed) in
                switch Int32(header.nlmsg_type) {
                case NLMSG_ERROR: _ = try Acknowledgement(error: payload, flags: header.nlmsg_flags)
                case NLMSG_DONE: _ = try Acknowledgement(done: payload, flags: header.nlmsg_flags)
                default: _ = try Message(type: header.nlmsg_type, payload: payload)
                }
            }
            return true
        } catch {
            return false
        }
    }

    @Test func theWholeOnesAreUnderstood() {
        #expect(Self.datagrams.allSatisfy { read($0) })
    }

    @Test func truncatedAtEveryLength() {
        for (type, body) in Self.bodies {
            for length in 0..<body.count {
                let cut = Array(body.prefix(length))
                // Once as a whole message of a body cut short, once as a datagram cut short.
                read(.message(type, sequence: 1, cut))
                let datagram = [UInt8].message(type, sequence: 1, body).prefix(16 + length)
                #expect(!read(Array(datagram)))
            }
        }
    }

    @Test func flippedAndRandom() {
        var random = SplitMix64(state: 0x5EED)
        var understood = 0
        for round in 0..<100_000 {
            var datagram = Self.datagrams[round % Self.datagrams.count]
            if round % 10 == 9 {
                let length = Int.random(in: 0...256, using: &random)
                datagram = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
                // A header that fits, so that more than the length is looked at.
                if length >= 16, Bool.random(using: &random) {
                    let types = [
                        RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWSTATS, RTM_NEWQDISC, RTM_NEWTFILTER,
                        Int(NLMSG_ERROR),
                    ]
                    let type = types[Int.random(in: 0..<types.count, using: &random)]
                    datagram = .message(type, sequence: 1, Array(datagram.dropFirst(16)))
                }
            } else {
                for _ in 0..<Int.random(in: 1...8, using: &random) {
                    let bit = Int.random(in: 0..<datagram.count * 8, using: &random)
                    datagram[bit / 8] ^= 1 << (bit % 8)
                }
            }
            if read(datagram) { understood += 1 }
        }
        // Most flips hit a value and not a length: neither all nor none may come through.
        #expect(understood > 10_000 && understood < 90_000)
    }

    /// The conversation as a whole: whatever comes back, each request has an outcome, and the next one can go.
    @Test func damagedAnswers() throws {
        var random = SplitMix64(state: 0xBAD)
        let damage = Damage()
        let socket = NetlinkSocket { sent in
            let requests = sent.messages
            var answers = requests.map { request in
                [UInt8].message(RTM_NEWLINK, sequence: request.nlmsg_seq, Captured.ipipLink)
                    + .acknowledgement(of: request, errno: EPERM)
            }
            if let request = requests.first { answers.append(.done(request)) }
            for (answer, bit) in damage.bits { answers[answer % answers.count].flip(bit) }
            return answers
        }
        for _ in 0..<2_000 {
            damage.bits = (0..<4).map { _ in
                (Int.random(in: 0..<8, using: &random), Int.random(in: 0..<100_000, using: &random))
            }
            #expect(try socket.execute([.readLink(1), .deleteLink(2), .deleteLink(3)]).count == 3)
            _ = try? socket.links()
        }
        damage.bits = []
        let outcomes = try socket.execute([.deleteLink(2)])
        #expect(
            outcomes == [.failure(NetlinkError(operation: "delete link number 2", code: .permissionDenied))])
    }
}

/// Which bits of which answer are flipped.
final class Damage {
    var bits: [(Int, Int)] = []
}

extension [UInt8] {
    mutating func flip(_ bit: Int) { self[bit / 8 % count] ^= 1 << (bit % 8) }
}

/// A generator that gives the same numbers each time (Vigna, "splitmix64.c").
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
