internal import Tunnels

/// An ICMP echo request, and how its answer is known (RFC 792).
struct EchoMessage {
    /// The cookie tells our answers from those to anybody who happens to have the same identifier.
    static let cookieLength = 8

    let identifier: UInt16
    let sequence: UInt16
    let cookie: UInt64

    private enum Kind {
        static let reply: UInt8 = 0
        static let request: UInt8 = 8
    }

    /// The request's bytes; the kernel puts the IP header before them.
    var request: [UInt8] { bytes(of: Kind.request) }

    /// Whether an IPv4 packet is the answer to this request.
    ///
    /// - Parameter address: whom the request went to.
    func isAnswered(by packet: [UInt8], from address: IPv4Address) -> Bool {
        guard let first = packet.first, first >> 4 == 4 else { return false }
        let header = Int(first & 15) * 4
        let source = packet.dropFirst(12).prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
        // The kernel gives raw sockets a packet before it has checked the ICMP checksum; all of the answer is known.
        return header >= 20 && source == address.bits && Array(packet.dropFirst(header)) == bytes(of: Kind.reply)
    }

    private func bytes(of kind: UInt8) -> [UInt8] {
        var bytes: [UInt8] = [kind, 0, 0, 0]
        bytes.append(bigEndian: identifier)
        bytes.append(bigEndian: sequence)
        bytes.append(bigEndian: cookie)
        let checksum = Self.checksum(of: bytes)
        (bytes[2], bytes[3]) = (UInt8(checksum >> 8), UInt8(checksum & 0xFF))
        return bytes
    }

    /// Of an even number of bytes (RFC 1071).
    static func checksum(of bytes: [UInt8]) -> UInt16 {
        var sum = stride(from: 0, to: bytes.count, by: 2).reduce(UInt32(0)) {
            $0 + UInt32(bytes[$1]) << 8 + UInt32(bytes[$1 + 1])
        }
        while sum > 0xFFFF { sum = sum >> 16 + sum & 0xFFFF }
        return ~UInt16(sum)
    }
}

extension [UInt8] {
    fileprivate mutating func append(bigEndian number: some FixedWidthInteger) {
        for shift in stride(from: number.bitWidth - 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: number >> shift))
        }
    }
}
