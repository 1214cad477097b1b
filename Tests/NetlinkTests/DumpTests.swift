import CMnl
import Testing

@testable import Netlink

@Suite struct DumpTests {
    func indexes(_ socket: NetlinkSocket) throws -> [UInt32] { try socket.statistics().map(\.index) }

    @Test func messagesOfManyDatagrams() throws {
        let socket = NetlinkSocket { sent in
            let request = sent.messages[0]
            return [
                .statistics(1, request) + .statistics(2, request), .statistics(3, request), .done(request),
            ]
        }
        #expect(try indexes(socket) == [1, 2, 3])
        #expect(try indexes(socket) == [1, 2, 3])
    }

    /// What was folded of the interrupted list is forgotten.
    @Test func anInterruptedDumpIsReadAgain() throws {
        let sent = Sent()
        let socket = NetlinkSocket { bytes in
            sent.datagrams.append(bytes)
            let request = bytes.messages[0]
            let interrupted = sent.datagrams.count < 3 ? NLM_F_DUMP_INTR : 0
            return [
                .statistics(1, request) + .statistics(2, request, flags: interrupted),
                .statistics(3, request) + .done(request),
            ]
        }
        #expect(try indexes(socket) == [1, 2, 3])
        #expect(sent.datagrams.count == 3)
        #expect(socket.counters.interruptedDumps == 2)
        #expect((socket.counters.messages, socket.counters.refusals) == (3, 0))
    }

    /// The kernel may say so only at the end.
    @Test func interruptedAtTheEnd() throws {
        let sent = Sent()
        let socket = NetlinkSocket { bytes in
            sent.datagrams.append(bytes)
            let request = bytes.messages[0]
            return [
                .statistics(1, request)
                    + .done(request, flags: sent.datagrams.count == 1 ? NLM_F_DUMP_INTR : 0)
            ]
        }
        #expect(try indexes(socket) == [1])
        #expect(sent.datagrams.count == 2)
    }

    @Test func aListThatNeverStandsStillIsAnError() throws {
        let sent = Sent()
        let socket = NetlinkSocket { bytes in
            sent.datagrams.append(bytes)
            return [.done(bytes.messages[0], flags: NLM_F_DUMP_INTR)]
        }
        let error = #expect(throws: NetlinkError.self) { try self.indexes(socket) }
        #expect(error?.code == .interrupted)
        #expect(sent.datagrams.count == NetlinkSocket.dumpTries)
    }

    @Test func anErrorAtTheStartOrTheEnd() throws {
        let refusing = NetlinkSocket { [.acknowledgement(of: $0.messages[0], errno: EPERM)] }
        #expect(throws: NetlinkError(operation: "read the statistics of all links", code: .permissionDenied)) {
            try self.indexes(refusing)
        }
        #expect((refusing.counters.messages, refusing.counters.refusals) == (1, 1))
        let failing = NetlinkSocket { bytes in
            let request = bytes.messages[0]
            return [.statistics(1, request), .done(request, errno: ENOMEM)]
        }
        #expect(throws: NetlinkError(operation: "read the statistics of all links", code: .outOfMemory)) {
            try self.indexes(failing)
        }
    }

    @Test func aTableThatDoesNotExistHasNoRoutes() throws {
        let socket = NetlinkSocket { bytes in
            var answer = Captured.noSuchTable
            // The captured number gives way to this request's.
            answer.replaceSubrange(8..<16, with: bytes[8..<12] + [0x67, 0x12, 0, 0])
            return [answer]
        }
        #expect(try socket.routes(RouteFilter(table: 12345)).isEmpty)
    }

    /// One that can't be read spoils the dump, but not what is asked next.
    @Test func aDamagedMessageIsAnErrorAndTheRestIsRead() throws {
        let sent = Sent()
        let socket = NetlinkSocket { bytes in
            sent.datagrams.append(bytes)
            let request = bytes.messages[0]
            let damaged = [UInt8].message(RTM_NEWSTATS, sequence: request.nlmsg_seq, [1, 2, 3, 4])
            return [
                .statistics(1, request) + (sent.datagrams.count == 1 ? damaged : []), .statistics(2, request),
                .done(request),
            ]
        }
        let error = #expect(throws: NetlinkError.self) { try self.indexes(socket) }
        #expect(error?.code == .badMessage)
        #expect(try indexes(socket) == [1, 2])
    }

    @Test func damagedBoundsAreAnErrorAndTheRestIsThrownAway() throws {
        let sent = Sent()
        let socket = NetlinkSocket { bytes in
            sent.datagrams.append(bytes)
            let request = bytes.messages[0]
            let damaged = [UInt8](repeating: 3, count: 16)
            return [
                .statistics(1, request) + (sent.datagrams.count == 1 ? damaged : []), .statistics(2, request),
                .done(request),
            ]
        }
        let error = #expect(throws: NetlinkError.self) { try self.indexes(socket) }
        #expect(error?.code == .badMessage)
        #expect(try indexes(socket) == [1, 2])
    }

    /// A link with very many names takes more than a slot: then all is read again, one datagram at a time.
    @Test(arguments: [true, false]) func aDatagramLargerThanASlot(isWithinReason: Bool) throws {
        let sent = Sent()
        let socket = NetlinkSocket { bytes in
            sent.datagrams.append(bytes)
            let request = bytes.messages[0]
            let size =
                isWithinReason ? NetlinkSocket.dumpSlot + 1 : NetlinkSocket.dumpSlot * NetlinkSocket.usualDumpSlots + 1
            var large: [UInt8] = []
            while large.count < size { large += .statistics(2, request) }
            return [.statistics(1, request), large, .statistics(3, request) + .done(request)]
        }
        if isWithinReason {
            let found = try indexes(socket)
            #expect(found.first == 1 && found.last == 3 && Set(found) == [1, 2, 3])
        } else {
            let error = #expect(throws: NetlinkError.self) { try self.indexes(socket) }
            #expect(error?.reason == "an answer larger than the receive buffer")
        }
        #expect(sent.datagrams.count == 2)
    }

    @Test func askingFromWithinADumpIsRefused() throws {
        let socket = NetlinkSocket { bytes in
            let request = bytes.messages[0]
            return [.statistics(1, request) + .done(request)]
        }
        let codes = try socket.statistics(into: [NetlinkError.Code]()) { codes, _ in
            do throws(NetlinkError) { _ = try socket.execute(.deleteLink(1)) } catch {
                codes.append(error.code)
            }
        }
        #expect(codes == [.busy])
    }
}
