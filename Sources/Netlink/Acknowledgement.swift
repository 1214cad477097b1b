internal import CMnl

/// What ends the answer to a request: `NLMSG_ERROR` (with 0 for success), or `NLMSG_DONE` for a dump.
struct Acknowledgement: Hashable {
    /// As in `errno`; 0 is success.
    var errno: Int32
    var kernelMessage: String?
    var attributeOffset: Int?

    /// Reads the payload of `NLMSG_ERROR`: the number, the header of the request and, unless the kernel capped it,
    /// the request's body, then the extended acknowledgement.
    init(error payload: RawSpan, flags: UInt16) throws(Malformed) {
        errno = try Self.number(payload)
        guard flags & UInt16(NLM_F_ACK_TLVS) != 0 else { return }
        var skipped = MemoryLayout<nlmsgerr>.size
        if flags & UInt16(NLM_F_CAPPED) == 0 {
            let request = try payload.load(nlmsghdr.self, at: MemoryLayout<Int32>.size)
            skipped += max(0, Int(request.nlmsg_len) - Wire.messageHeader)
        }
        try readExtended(payload, after: skipped)
    }

    /// Reads the payload of `NLMSG_DONE`: the number, then the extended acknowledgement.
    init(done payload: RawSpan, flags: UInt16) throws(Malformed) {
        // A kernel may end a dump without a number.
        errno = payload.isEmpty ? 0 : try Self.number(payload)
        guard flags & UInt16(NLM_F_ACK_TLVS) != 0 else { return }
        try readExtended(payload, after: MemoryLayout<Int32>.size)
    }

    /// The kernel sends error numbers negated.
    private static func number(_ payload: RawSpan) throws(Malformed) -> Int32 {
        let number = try payload.load(Int32.self)
        guard number <= 0, number > Int32.min else { throw Malformed("error number out of range") }
        return -number
    }

    private mutating func readExtended(_ payload: RawSpan, after skipped: Int) throws(Malformed) {
        var message: String?
        var offset: Int?
        try payload.forEachAttribute(after: skipped) { (type, value, _) throws(Malformed) in
            switch type {
            case Int(NLMSGERR_ATTR_MSG.rawValue): message = value.string()
            case Int(NLMSGERR_ATTR_OFFS.rawValue): offset = Int(try value.number(UInt32.self))
            default: break
            }
        }
        kernelMessage = message
        attributeOffset = offset
    }

    /// The error for what was asked, or nil for success.
    func failure(of operation: String) -> NetlinkError? {
        guard errno != 0 else { return nil }
        return NetlinkError(
            operation: operation, code: .init(rawValue: errno), kernelMessage: kernelMessage,
            attributeOffset: attributeOffset)
    }
}
