internal import CMnl

/// Writes the body of one message: a fixed header, then attributes. Lengths, padding and nesting are done here and
/// nowhere else. A value that doesn't fit the protocol is remembered as `failure`, so that callers needn't check
/// each step; the request is then refused before it is sent.
struct MessageWriter {
    private(set) var bytes: [UInt8] = []
    private(set) var failure: Malformed?

    init<Header: BitwiseCopyable>(_ header: Header) {
        bytes.reserveCapacity(256)
        append(header)
        pad()
    }

    mutating func put<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Int, _ value: Value) {
        attribute(type) { writer in writer.append(value) }
    }

    mutating func put(_ type: Int, _ address: IPv4) { put(type, address.rawValue.bigEndian) }

    /// A kernel struct as it lies in memory.
    mutating func put<Value: BitwiseCopyable>(_ type: Int, structure: Value) {
        attribute(type) { writer in writer.append(structure) }
    }

    /// A string. The kernel reads most up to their NUL; some (`IFLA_IFALIAS`) by their length.
    mutating func put(_ type: Int, _ string: String, terminated: Bool = true) {
        if string.utf8.contains(0) { fail(Malformed("NUL in a string", type: type)) }
        attribute(type) { writer in
            writer.bytes.append(contentsOf: string.utf8)
            if terminated { writer.bytes.append(0) }
        }
    }

    /// An attribute whose presence is its value.
    mutating func putFlag(_ type: Int) { attribute(type) { _ in } }

    mutating func put(_ others: RawAttributes) { bytes.append(contentsOf: others.bytes) }

    /// An attribute that holds what `body` writes.
    mutating func nested(_ type: Int, _ body: (inout MessageWriter) -> Void) { attribute(type, body) }

    /// A header inside of an attribute, as `VETH_INFO_PEER` has one.
    mutating func putHeader<Header: BitwiseCopyable>(_ header: Header) {
        append(header)
        pad()
    }

    /// Has the request refused before it is sent.
    mutating func fail(_ failure: Malformed) { self.failure = self.failure ?? failure }

    private mutating func attribute(_ type: Int, _ body: (inout MessageWriter) -> Void) {
        let start = bytes.count
        append(nlattr(nla_len: 0, nla_type: UInt16(truncatingIfNeeded: type)))
        body(&self)
        guard let length = UInt16(exactly: bytes.count - start) else {
            fail(Malformed("attribute longer than 65,535 bytes", type: type))
            return bytes.removeSubrange(start...)
        }
        replace(at: start, with: nlattr(nla_len: length, nla_type: UInt16(truncatingIfNeeded: type)))
        pad()
    }

    private mutating func pad() {
        while bytes.count != Wire.aligned(bytes.count) { bytes.append(0) }
    }

    private mutating func append<Value: BitwiseCopyable>(_ value: Value) { bytes.append(valueBytes: value) }

    private mutating func replace<Value: BitwiseCopyable>(at offset: Int, with value: Value) {
        unsafe withUnsafeBytes(of: value) {
            unsafe bytes.replaceSubrange(offset..<offset + $0.count, with: $0)
        }
    }
}

extension [UInt8] {
    /// Appends a number or a kernel struct as it lies in memory.
    mutating func append<Value: BitwiseCopyable>(valueBytes value: Value) {
        unsafe Swift.withUnsafeBytes(of: value) { unsafe append(contentsOf: $0) }
    }
}
