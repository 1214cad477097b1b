internal import CMicroHTTPD
internal import Glibc

/// Where a server listens: `127.0.0.1:8080`, `[::1]:8080` or `unix:/run/tunneld/tunneld.sock`.
public enum ListenAddress: Sendable, Hashable, CustomStringConvertible {
    /// `address` is numeric IPv4 or IPv6, without brackets. Port 0 lets the kernel choose.
    case tcp(address: String, port: UInt16)
    case unix(path: String)

    public init(_ text: String) throws(ListenError) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard !path.isEmpty else {
                throw .badAddress(text, "Name the socket's file, as unix:/run/tunneld/tunneld.sock.")
            }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = Self.port(text[text.index(after: colon)...])
        else {
            throw .badAddress(text, "Write address:port, with a port from 0 to 65535.")
        }
        var host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = host.dropFirst().dropLast() }
        let address = String(host)
        let isNumeric = isBracketed ? Self.isNumeric(AF_INET6, address) : Self.isNumeric(AF_INET, address)
        guard isNumeric else {
            throw .badAddress(text, "Write the address as a number, such as 127.0.0.1, or [::1] for IPv6.")
        }
        self = .tcp(address: address, port: port)
    }

    public var description: String {
        switch self {
        case .tcp(let address, let port):
            address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    private static func port(_ text: Substring) -> UInt16? {
        text.utf8.allSatisfy(\.isDigit) ? UInt16(text) : nil
    }

    private static func isNumeric(_ family: Int32, _ text: String) -> Bool {
        var buffer = in6_addr()
        return unsafe inet_pton(family, text, &buffer) == 1
    }
}

/// Why a listener could not be opened; the description says what to do.
public enum ListenError: Error, Sendable, Equatable, CustomStringConvertible {
    case badAddress(String, String)
    case addressInUse(ListenAddress)
    case addressNotAvailable(ListenAddress)
    case permissionDenied(ListenAddress)
    case noSuchDirectory(path: String)
    case notASocket(path: String)
    case pathTooLong(path: String, limitBytes: Int)
    case noSuchGroup(String)
    case system(operation: String, errno: Int32)
    case daemonDidNotStart
    case stopped

    public var description: String {
        switch self {
        case .badAddress(let text, let hint): "\"\(text)\" is not an address to listen on. \(hint)"
        case .addressInUse(.unix(let path)):
            "A server already answers on \(path). Stop it, or choose another path."
        case .addressInUse(let address):
            "Another process listens on \(address). Stop it (`ss -ltnp` names it), or choose another port."
        case .addressNotAvailable(let address):
            "No interface of this host has the address of \(address). `ip address` lists those it has."
        case .permissionDenied(.unix(let path)):
            "No permission to make a socket at \(path). Run as root, or choose a directory that may be written."
        case .permissionDenied(let address):
            "No permission to listen on \(address). Ports below 1024 need root or CAP_NET_BIND_SERVICE."
        case .noSuchDirectory(let path): "The directory of \(path) does not exist. Create it first."
        case .notASocket(let path): "\(path) exists and is not a socket. Remove it, or choose another path."
        case .pathTooLong(let path, let limit):
            "\(path) is too long for a unix socket. Choose a path of at most \(limit) bytes."
        case .noSuchGroup(let name): "There is no group \(name). Create it with `groupadd --system \(name)`."
        case .system(let operation, let code):
            "\(operation) failed: \(unsafe String(cString: strerror(code)))."
        case .daemonDidNotStart: "libmicrohttpd did not start; the log has its reason at level debug."
        case .stopped: "The server was stopped; make a new one."
        }
    }

    /// What an errno of bind(2) or listen(2) means for that address.
    init(binding address: ListenAddress, errno code: Int32) {
        self =
            switch (code, address) {
            case (EADDRINUSE, _): .addressInUse(address)
            case (EACCES, _), (EPERM, _): .permissionDenied(address)
            case (EADDRNOTAVAIL, _): .addressNotAvailable(address)
            case (ENOENT, .unix(let path)), (ENOTDIR, .unix(let path)): .noSuchDirectory(path: path)
            default: .system(operation: "bind \(address)", errno: code)
            }
    }
}
