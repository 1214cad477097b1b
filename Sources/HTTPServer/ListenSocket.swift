internal import CMicroHTTPD
internal import Glibc

/// A socket that is bound and listens, before libmicrohttpd has it.
struct ListenSocket {
    let descriptor: Int32
    /// With the port that the kernel chose.
    let address: ListenAddress
    /// A unix socket's file, by which it is known to be ours still when it is to be removed.
    private var file: (device: dev_t, inode: ino_t)?

    init(_ address: ListenAddress, group: String?) throws(ListenError) {
        switch address {
        case .tcp(let host, let port): try self.init(host: host, port: port, address)
        case .unix(let path): try self.init(path: path, group: group, address)
        }
    }

    func close() { _ = CMicroHTTPD.close(descriptor) }

    /// Removes a unix socket's file unless another server has put its own there.
    func removeFile() {
        guard let file, case .unix(let path) = address, let found = Self.status(path) else { return }
        if found.st_dev == file.device, found.st_ino == file.inode { _ = unsafe unlink(path) }
    }

    private static func open(_ family: Int32) throws(ListenError) -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(family, kind, 0)
        if descriptor < 0 { throw .system(operation: "socket", errno: errno) }
        return descriptor
    }

    private static func status(_ path: String) -> stat? {
        var found = stat()
        return unsafe lstat(path, &found) == 0 ? found : nil
    }
}

// MARK: - TCP

extension ListenSocket {
    private init(host: String, port: UInt16, _ wanted: ListenAddress) throws(ListenError) {
        let isIPv6 = host.contains(":")
        let descriptor = try Self.open(isIPv6 ? AF_INET6 : AF_INET)
        do throws(ListenError) {
            try Self.set(descriptor, SOL_SOCKET, SO_REUSEADDR)
            // `[::]` leaves IPv4 to a listener of its own, whatever the host's default is.
            if isIPv6 { try Self.set(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY) }
            let bound =
                isIPv6
                ? try Self.bind(descriptor, Self.ipv6(host, port, wanted))
                : try Self.bind(descriptor, Self.ipv4(host, port, wanted))
            guard bound == 0, listen(descriptor, SOMAXCONN) == 0 else {
                throw ListenError(binding: wanted, errno: errno)
            }
            let real = isIPv6 ? Self.port6(descriptor) : Self.port4(descriptor)
            self.init(descriptor: descriptor, address: .tcp(address: host, port: real))
        } catch {
            _ = CMicroHTTPD.close(descriptor)
            throw error
        }
    }

    private init(descriptor: Int32, address: ListenAddress) {
        self.descriptor = descriptor
        self.address = address
    }

    private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32) throws(ListenError) {
        var on: Int32 = 1
        if unsafe setsockopt(descriptor, level, option, &on, socklen_t(MemoryLayout<Int32>.size)) != 0 {
            throw .system(operation: "setsockopt", errno: errno)
        }
    }

    private static func ipv4(
        _ host: String, _ port: UInt16, _ wanted: ListenAddress
    ) throws(ListenError) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        guard unsafe inet_pton(AF_INET, host, &address.sin_addr) == 1 else {
            throw .badAddress("\(wanted)", "The address must be numeric.")
        }
        return address
    }

    private static func ipv6(
        _ host: String, _ port: UInt16, _ wanted: ListenAddress
    ) throws(ListenError) -> sockaddr_in6 {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        guard unsafe inet_pton(AF_INET6, host, &address.sin6_addr) == 1 else {
            throw .badAddress("\(wanted)", "The address must be numeric.")
        }
        return address
    }

    private static func port4(_ descriptor: Int32) -> UInt16 {
        UInt16(bigEndian: name(descriptor, sockaddr_in()).sin_port)
    }

    private static func port6(_ descriptor: Int32) -> UInt16 {
        UInt16(bigEndian: name(descriptor, sockaddr_in6()).sin6_port)
    }

    private static func name<Address>(_ descriptor: Int32, _ empty: Address) -> Address {
        var address = empty
        var length = socklen_t(MemoryLayout<Address>.size)
        unsafe withUnsafeMutableBytes(of: &address) { bytes in
            _ = unsafe getsockname(
                descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
        }
        return address
    }

    /// bind(2); `Address` is a sockaddr of the socket's family.
    fileprivate static func bind<Address>(_ descriptor: Int32, _ address: Address) -> Int32 {
        unsafe withAddress(address) { unsafe CMicroHTTPD.bind(descriptor, $0, $1) }
    }

    fileprivate static func connect<Address>(_ descriptor: Int32, _ address: Address) -> Int32 {
        unsafe withAddress(address) { unsafe CMicroHTTPD.connect(descriptor, $0, $1) }
    }

    private static func withAddress<Address>(
        _ address: Address, _ body: (UnsafePointer<sockaddr>?, socklen_t) -> Int32
    ) -> Int32 {
        unsafe withUnsafeBytes(of: address) { bytes in
            unsafe body(
                bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
    }
}

// MARK: - Unix

extension ListenSocket {
    private init(path: String, group: String?, _ wanted: ListenAddress) throws(ListenError) {
        let address = try Self.unix(path)
        try Self.removeStale(path, address, wanted)
        let descriptor = try Self.open(AF_UNIX)
        var isBound = false
        do throws(ListenError) {
            guard Self.bind(descriptor, address) == 0 else {
                throw ListenError(binding: wanted, errno: errno)
            }
            isBound = true
            // Nobody can connect before listen(2), so mode and group are right by then.
            if let group { try Self.give(path, to: group, wanted) }
            guard unsafe chmod(path, 0o660) == 0 else { throw ListenError(binding: wanted, errno: errno) }
            guard listen(descriptor, SOMAXCONN) == 0, let file = Self.status(path) else {
                throw ListenError(binding: wanted, errno: errno)
            }
            self.init(descriptor: descriptor, address: wanted)
            self.file = (file.st_dev, file.st_ino)
        } catch {
            if isBound { _ = unsafe unlink(path) }
            _ = CMicroHTTPD.close(descriptor)
            throw error
        }
    }

    private static func unix(_ path: String) throws(ListenError) -> sockaddr_un {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let limit = MemoryLayout.size(ofValue: address.sun_path) - 1
        guard path.utf8.count <= limit else { throw .pathTooLong(path: path, limitBytes: limit) }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        return address
    }

    /// A socket file outlives its server. One that nobody listens on is removed; any other is left alone.
    private static func removeStale(
        _ path: String, _ address: sockaddr_un, _ wanted: ListenAddress
    ) throws(ListenError) {
        guard let found = status(path) else { return }
        guard found.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path: path) }
        let probe = try open(AF_UNIX)
        defer { _ = CMicroHTTPD.close(probe) }
        guard connect(probe, address) != 0, errno == ECONNREFUSED else { throw .addressInUse(wanted) }
        guard unsafe unlink(path) == 0 else { throw ListenError(binding: wanted, errno: errno) }
    }

    private static func give(_ path: String, to group: String, _ wanted: ListenAddress) throws(ListenError) {
        guard let id = SystemGroup.id(named: group) else { throw .noSuchGroup(group) }
        guard unsafe chown(path, uid_t.max, id) == 0 else { throw ListenError(binding: wanted, errno: errno) }
    }
}
