import CMnl

@testable import Netlink

/// Datagrams as a kernel would answer.
extension [UInt8] {
    /// The messages that this datagram holds: their headers.
    var messages: [nlmsghdr] {
        var headers: [nlmsghdr] = []
        try? span.bytes.forEachMessage { header, _ in headers.append(header) }
        return headers
    }

    /// A message to the script's socket.
    static func message(
        _ type: Int, flags: Int32 = 0, sequence: UInt32, port: UInt32 = Script.portID, _ body: [UInt8]
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(
            valueBytes: nlmsghdr(
                nlmsg_len: UInt32(16 + body.count), nlmsg_type: UInt16(type), nlmsg_flags: UInt16(flags),
                nlmsg_seq: sequence, nlmsg_pid: port))
        return bytes + body + [UInt8](repeating: 0, count: (4 - body.count % 4) % 4)
    }

    static func acknowledgement(of request: nlmsghdr, errno: Int32 = 0) -> [UInt8] {
        var body: [UInt8] = []
        body.append(valueBytes: -errno)
        body.append(valueBytes: request)
        return message(Int(NLMSG_ERROR), flags: NLM_F_CAPPED, sequence: request.nlmsg_seq, body)
    }

    static func done(_ request: nlmsghdr, errno: Int32 = 0, flags: Int32 = 0) -> [UInt8] {
        var body: [UInt8] = []
        body.append(valueBytes: -errno)
        return message(Int(NLMSG_DONE), flags: NLM_F_MULTI | flags, sequence: request.nlmsg_seq, body)
    }

    /// One of a dump's data.
    static func statistics(_ index: UInt32, _ request: nlmsghdr, flags: Int32 = 0) -> [UInt8] {
        let body = LinkStatistics(index: index, counters: LinkCounters()).body().bytes
        return message(RTM_NEWSTATS, flags: NLM_F_MULTI | flags, sequence: request.nlmsg_seq, body)
    }
}
