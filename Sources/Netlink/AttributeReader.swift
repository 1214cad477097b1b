internal import CMnl

// The one place that reads lengths off the wire. A view of the received bytes is a `RawSpan`: it can't outlive
// them, and each read is checked. Damaged bytes throw `Malformed`, they never trap.

extension RawSpan {
    /// Reads a number or a kernel struct in host order; the wire doesn't promise its alignment.
    @inline(__always)
    func load<Value: BitwiseCopyable>(
        _ type: Value.Type = Value.self, at offset: Int = 0
    ) throws(Malformed) -> Value {
        guard offset >= 0, offset <= byteCount, byteCount - offset >= MemoryLayout<Value>.size else {
            throw Malformed("cut short")
        }
        return unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: Value.self)
    }

    /// The whole payload as one number; any other length is an error.
    @inline(__always)
    func number<Value: FixedWidthInteger & BitwiseCopyable>(
        _ type: Value.Type = Value.self
    ) throws(Malformed) -> Value {
        guard byteCount == MemoryLayout<Value>.size else { throw Malformed("number of the wrong size") }
        return try load(Value.self)
    }

    @inline(__always)
    func address() throws(Malformed) -> IPv4 {
        IPv4(rawValue: UInt32(bigEndian: try number(UInt32.self)))
    }

    /// The bytes up to the first NUL, or all; what isn't UTF-8 is repaired.
    func string() -> String {
        unsafe withUnsafeBytes { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    func array() -> [UInt8] {
        unsafe withUnsafeBytes { bytes in unsafe Array(bytes) }
    }

    /// Calls `body` with each attribute after the first `headerSize` bytes: its type without the flag bits,
    /// its payload, and the whole of it with its own header.
    @inline(__always)
    func forEachAttribute(
        after headerSize: Int = 0,
        _ body: (_ type: Int, _ payload: RawSpan, _ whole: RawSpan) throws(Malformed) -> Void
    ) throws(Malformed) {
        var offset = Wire.aligned(headerSize)
        while byteCount - offset >= Wire.attributeHeader {
            let header = try load(nlattr.self, at: offset)
            let length = Int(header.nla_len)
            guard length >= Wire.attributeHeader, length <= byteCount - offset else {
                throw Malformed("attribute of an impossible length", type: Int(header.nla_type))
            }
            let end = offset + length
            try body(
                Int(header.nla_type & Wire.typeMask), extracting(offset + Wire.attributeHeader..<end),
                extracting(offset..<end))
            offset += Wire.aligned(length)
        }
    }

    /// Calls `body` with each message of a datagram.
    @inline(__always)
    func forEachMessage(_ body: (_ header: nlmsghdr, _ payload: RawSpan) throws(Malformed) -> Void)
        throws(Malformed)
    {
        var offset = 0
        while byteCount - offset >= Wire.messageHeader {
            let header = try load(nlmsghdr.self, at: offset)
            let length = Int(header.nlmsg_len)
            guard length >= Wire.messageHeader, length <= byteCount - offset else {
                throw Malformed("message of an impossible length")
            }
            try body(header, extracting(offset + Wire.messageHeader..<offset + length))
            offset += Wire.aligned(length)
        }
    }
}

/// Sizes and alignment of the protocol (`linux/netlink.h`).
enum Wire {
    @inline(__always) static var messageHeader: Int { MemoryLayout<nlmsghdr>.size }
    @inline(__always) static var attributeHeader: Int { MemoryLayout<nlattr>.size }
    /// What remains of `nla_type` without `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER`.
    @inline(__always) static var typeMask: UInt16 { ~UInt16(NLA_F_NESTED | NLA_F_NET_BYTEORDER) }
    @inline(__always) static func aligned(_ length: Int) -> Int {
        (length + Int(NLMSG_ALIGNTO) - 1) & ~(Int(NLMSG_ALIGNTO) - 1)
    }
}
