internal import CMicroHTTPD

/// Who is at the other end of a connection; read once, when it is accepted.
public enum Peer: Sendable, Hashable {
    /// `address` in its numeric form.
    case tcp(address: String, port: UInt16)
    /// The credentials of the process that connected (`SO_PEERCRED`, unix(7)), as they were then.
    case unix(uid: UInt32, gid: UInt32, pid: Int32)

    /// Nil when the kernel doesn't say, as for a connection that is gone already.
    init?(connection: OpaquePointer, descriptor: Int32) {
        guard let address = unsafe mhd_shim_client(connection) else { return nil }
        switch Int32(unsafe address.pointee.sa_family) {
        case AF_INET:
            let value = unsafe UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in.self)
            self = .tcp(address: Self.text(AF_INET, value.sin_addr), port: UInt16(bigEndian: value.sin_port))
        case AF_INET6:
            let value = unsafe UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in6.self)
            self = .tcp(
                address: Self.text(AF_INET6, value.sin6_addr), port: UInt16(bigEndian: value.sin6_port))
        default:
            var credentials = mhd_shim_credentials()
            guard unsafe mhd_shim_peer_credentials(descriptor, &credentials) == 0 else { return nil }
            self = .unix(uid: credentials.uid, gid: credentials.gid, pid: credentials.pid)
        }
    }

    private static func text<Address>(_ family: Int32, _ address: Address) -> String {
        unsafe withUnsafeBytes(of: address) { bytes in
            unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
                guard
                    let text = unsafe inet_ntop(
                        family, bytes.baseAddress, buffer.baseAddress, socklen_t(buffer.count))
                else { return "" }
                return unsafe String(cString: text)
            }
        }
    }
}
