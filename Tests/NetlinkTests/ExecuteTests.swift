import CMnl
import Testing

@testable import Netlink

/// Which answer belongs to which request.
@Suite struct ExecuteTests {
    let requests: [Request] = [.deleteLink(1), .readLink(42), .deleteLink(3)]

    @Test func eachHasItsOwnOutcome() throws {
        let socket = NetlinkSocket { sent in
            let requests = sent.messages
            return [
                .acknowledgement(of: requests[0], errno: EPERM),
                .message(RTM_NEWLINK, sequence: requests[1].nlmsg_seq, Captured.ipipLink)
                    + .acknowledgement(of: requests[1]),
                .acknowledgement(of: requests[2]),
            ]
        }
        let outcomes = try socket.execute(requests)
        #expect(
            outcomes[0] == .failure(NetlinkError(operation: "delete link number 1", code: .permissionDenied)))
        #expect(try outcomes[1].get().link?.name == "tun_a")
        #expect(outcomes[2] == .success([]))
        #expect((socket.counters.messages, socket.counters.refusals) == (3, 1))
    }

    @Test func requestsGoBackToBackWithTheirOwnNumbers() throws {
        let sent = Sent()
        let socket = NetlinkSocket { bytes in
            sent.datagrams.append(bytes)
            return bytes.messages.map { .acknowledgement(of: $0) }
        }
        _ = try socket.execute(requests)
        _ = try socket.execute(requests)
        #expect(sent.datagrams.count == 2)
        let headers = sent.datagrams.flatMap(\.messages)
        #expect(Set(headers.map(\.nlmsg_seq)).count == 6)
        #expect(headers.allSatisfy { $0.nlmsg_flags & UInt16(NLM_F_REQUEST | NLM_F_ACK) == 5 })
    }

    /// Answers to what was asked earlier, to others, or twice, are nobody's.
    @Test func strangersAreDropped() throws {
        let socket = NetlinkSocket { sent in
            let request = sent.messages[0]
            var stale = request
            stale.nlmsg_seq -= 1
            var later = request
            later.nlmsg_seq += 1
            var body: [UInt8] = []
            body.append(valueBytes: -EPERM)
            body.append(valueBytes: request)
            return [
                .acknowledgement(of: stale, errno: EPERM), .acknowledgement(of: later, errno: EPERM),
                .message(Int(NLMSG_ERROR), sequence: request.nlmsg_seq, port: 99, body),
                .acknowledgement(of: request), .acknowledgement(of: request, errno: EPERM),
            ]
        }
        #expect(try socket.execute(.deleteLink(1)).isEmpty)
        #expect(try socket.execute(.deleteLink(1)).isEmpty)
    }

    @Test func aMissingAnswerIsToldApart() throws {
        let socket = NetlinkSocket { sent in [.acknowledgement(of: sent.messages[0])] }
        let outcomes = try socket.execute(requests)
        #expect(outcomes[0] == .success([]))
        #expect(outcomes[1] == .failure(NetlinkError(operation: "read link number 42", code: .timedOut)))
        #expect(outcomes[2] == .failure(NetlinkError(operation: "delete link number 3", code: .timedOut)))
    }

    @Test func aLargeBatchIsSplit() throws {
        let sent = Sent()
        let socket = NetlinkSocket { bytes in
            sent.datagrams.append(bytes)
            return bytes.messages.map { .acknowledgement(of: $0) }
        }
        let outcomes = try socket.execute(Array(repeating: .deleteLink(1), count: 10_000))
        #expect(outcomes.count == 10_000)
        #expect(outcomes.allSatisfy { $0 == .success([]) })
        #expect(sent.datagrams.map(\.messages.count) == [4000, 4000, 2000])
        #expect(try socket.execute([Request]()).isEmpty)
    }

    @Test func anAnswerThatCannotBeReadIsAnOutcome() throws {
        let socket = NetlinkSocket { sent in
            let request = sent.messages[0]
            return [
                .message(RTM_NEWLINK, sequence: request.nlmsg_seq, Array(Captured.ipipLink.prefix(10))),
                .acknowledgement(of: request),
            ]
        }
        let outcome = try socket.execute([.readLink(42)]).first
        #expect(
            outcome
                == .failure(
                    NetlinkError(operation: "read link number 42", code: .badMessage, reason: "cut short")))
    }
}
