internal import CMnl

/// A request that failed: what was asked, which error, and what the kernel said about it.
public struct NetlinkError: Error, Hashable, Sendable {
    /// What was asked, in words: "create link tun_a".
    public var operation: String
    public var code: Code
    /// The kernel's own words (`NLMSGERR_ATTR_MSG`), where it gave any.
    public var kernelMessage: String?
    /// Where the attribute that the kernel objects to lies, in bytes from the start of the message
    /// (`NLMSGERR_ATTR_OFFS`).
    public var attributeOffset: Int?
    /// What this module found wrong, where it wasn't the kernel that refused.
    public var reason: String?

    /// The number as `errno` has it.
    public var errno: Int32 { code.rawValue }

    public init(
        operation: String, code: Code, kernelMessage: String? = nil, attributeOffset: Int? = nil,
        reason: String? = nil
    ) {
        self.operation = operation
        self.code = code
        self.kernelMessage = kernelMessage
        self.attributeOffset = attributeOffset
        self.reason = reason
    }

    init(operation: String, malformed: Malformed) {
        self.init(operation: operation, code: .badMessage, reason: malformed.description)
    }
}

extension NetlinkError: CustomStringConvertible {
    /// One line: `create link tun_a: EEXIST (File exists); the kernel says: …`.
    public var description: String {
        var line = "\(operation): \(code)"
        if let meaning = code.meaning { line += " (\(meaning))" }
        if let kernelMessage { line += "; the kernel says: \(kernelMessage)" }
        if let attributeOffset { line += "; at byte \(attributeOffset) of the message" }
        if let reason { line += "; \(reason)" }
        return line
    }
}

extension NetlinkError {
    /// An error number of the kernel, with names for those a caller acts upon.
    public struct Code: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
        public var rawValue: Int32
        public init(rawValue: Int32) { self.rawValue = rawValue }

        public static let permissionDenied = Code(rawValue: EPERM)
        /// `ENOENT`: no such routing table, among others.
        public static let noSuchEntry = Code(rawValue: ENOENT)
        /// `ESRCH`: the route that shall go isn't there.
        public static let notFound = Code(rawValue: ESRCH)
        public static let interrupted = Code(rawValue: EINTR)
        public static let outOfMemory = Code(rawValue: ENOMEM)
        public static let busy = Code(rawValue: EBUSY)
        public static let exists = Code(rawValue: EEXIST)
        /// `EADDRINUSE`: another socket in this network namespace has the port.
        public static let addressInUse = Code(rawValue: EADDRINUSE)
        public static let noDevice = Code(rawValue: ENODEV)
        public static let invalid = Code(rawValue: EINVAL)
        public static let outOfRange = Code(rawValue: ERANGE)
        public static let badMessage = Code(rawValue: EBADMSG)
        public static let tooLong = Code(rawValue: EMSGSIZE)
        /// `EOPNOTSUPP`: a link kind that this kernel doesn't know, among others.
        public static let notSupported = Code(rawValue: EOPNOTSUPP)
        /// `EAFNOSUPPORT`: `Link.ipv6AddressGeneration` on a kernel without IPv6.
        public static let addressFamilyNotSupported = Code(rawValue: EAFNOSUPPORT)
        public static let addressNotAvailable = Code(rawValue: EADDRNOTAVAIL)
        public static let networkDown = Code(rawValue: ENETDOWN)
        public static let networkUnreachable = Code(rawValue: ENETUNREACH)
        public static let hostUnreachable = Code(rawValue: EHOSTUNREACH)
        /// `ENOBUFS`: the receive buffer overflowed and answers were lost.
        public static let answersLost = Code(rawValue: ENOBUFS)
        public static let timedOut = Code(rawValue: ETIMEDOUT)

        /// The symbolic name, `EEXIST`; the number where the C library has none (`strerrorname_np`).
        public var description: String {
            guard let name = unsafe strerrorname_np(rawValue) else { return "errno \(rawValue)" }
            return unsafe String(cString: name)
        }

        /// What the C library says it means (`strerrordesc_np`).
        public var meaning: String? {
            guard let text = unsafe strerrordesc_np(rawValue) else { return nil }
            return unsafe String(cString: text)
        }
    }
}

/// Bytes that aren't what the protocol says, or a value that can't be put into it.
struct Malformed: Error, Hashable, CustomStringConvertible {
    let what: String
    var type: Int?

    init(_ what: String, type: Int? = nil) {
        self.what = what
        self.type = type
    }

    var description: String { type.map { "\(what) (attribute \($0))" } ?? what }
}
