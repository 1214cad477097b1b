internal import CMnl

/// One message for the kernel that it answers with an acknowledgement, and with data where it asks for some.
///
/// It is a plain value; `NetlinkSocket.execute` gives it a sequence number and sends it.
public struct Request: Hashable, Sendable {
    /// What it does, in words, for the error: "create link tun_a".
    public let operation: String
    let type: UInt16
    let flags: UInt16
    let body: [UInt8]
    /// Why it can't be sent, where a value doesn't fit into the protocol.
    let failure: Malformed?

    init(_ operation: String, type: Int, flags: Int32 = 0, _ writer: MessageWriter) {
        self.operation = operation
        self.type = UInt16(truncatingIfNeeded: type)
        self.flags = UInt16(truncatingIfNeeded: NLM_F_REQUEST | flags)
        body = writer.bytes
        failure = writer.failure
    }

    /// Bytes on the wire.
    var size: Int { Wire.aligned(Wire.messageHeader + body.count) }

    /// How much of the receive buffer an acknowledgement may take: a small datagram, and the kernel's overhead.
    static let acknowledgementCost = 2 << 10

    /// How much of the receive buffer the answer may take. A link with all its attributes is a large datagram.
    var answerCost: Int { asksForData ? 32 << 10 : Self.acknowledgementCost }

    /// Message types come in fours: new, delete, get, set (`rtnl_msgtype_kind`).
    private var asksForData: Bool { type & 3 == 2 }

    /// Appends the message. `sequence` comes back in each answer.
    func append(to bytes: inout [UInt8], sequence: UInt32, flags extra: Int32) {
        let header = nlmsghdr(
            nlmsg_len: UInt32(truncatingIfNeeded: Wire.messageHeader + body.count), nlmsg_type: type,
            nlmsg_flags: flags | UInt16(truncatingIfNeeded: extra), nlmsg_seq: sequence, nlmsg_pid: 0)
        bytes.append(valueBytes: header)
        bytes.append(contentsOf: body)
    }
}
