internal import Glibc
internal import Tunnels

/// A raw ICMP socket that sends and hears through one link alone (`raw(7)`, `SO_BINDTODEVICE`).
final class EchoSocket: Sendable {
    let descriptor: Int32

    /// - Parameters:
    ///   - link: its name.
    ///   - source: an address of this host; nil leaves it to the kernel.
    /// - Throws: `ENODEV` where there is no such link, `EPERM` without `CAP_NET_RAW`, `EADDRNOTAVAIL` for a source that
    ///   isn't ours.
    convenience init(link: String, source: IPv4Address?) throws(EchoError) {
        try self.init()
        let bytes = Array(link.utf8)
        guard unsafe setsockopt(descriptor, SOL_SOCKET, SO_BINDTODEVICE, bytes, socklen_t(bytes.count)) == 0 else {
            throw .last("bind an ICMP socket to \(link)")
        }
        guard let source else { return }
        var address = sockaddr_in(source)
        let bound = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, Self.addressLength)
            }
        }
        guard bound == 0 else { throw .last("send from \(source)") }
    }

    /// Bound to nothing yet.
    ///
    /// - Throws: `EPERM` without `CAP_NET_RAW`.
    init() throws(EchoError) {
        let kind = Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_INET, kind, Int32(IPPROTO_ICMP))
        guard descriptor >= 0 else { throw .last("open an ICMP socket") }
        self.descriptor = descriptor
    }

    deinit { _ = Glibc.close(descriptor) }

    func send(_ bytes: [UInt8], to destination: IPv4Address) throws(EchoError) {
        var address = sockaddr_in(destination)
        let sent = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe sendto(descriptor, bytes, bytes.count, 0, $0, Self.addressLength)
            }
        }
        guard sent == bytes.count else { throw .last("send an echo to \(destination)") }
    }

    /// One packet with its IP header, or nil when none waits, or none can come any more.
    ///
    /// - Parameter limit: what is longer is cut.
    func receive(limit: Int) -> [UInt8]? {
        let packet = unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            count = max(unsafe recv(descriptor, buffer.baseAddress, limit, 0), 0)
        }
        return packet.isEmpty ? nil : packet
    }

    private static let addressLength = socklen_t(MemoryLayout<sockaddr_in>.size)
}

extension sockaddr_in {
    fileprivate init(_ address: IPv4Address) {
        self.init()
        sin_family = sa_family_t(AF_INET)
        sin_addr.s_addr = address.bits.bigEndian
    }
}

/// A system call that failed.
struct EchoError: Error, Hashable, CustomStringConvertible {
    let operation: String
    let errno: Int32

    static func last(_ operation: String) -> EchoError {
        EchoError(operation: operation, errno: Glibc.errno)
    }

    var description: String { "can't \(operation): \(unsafe String(cString: strerror(errno)))" }
}
