internal import CBPF

/// What the thread that asks may do.
struct Privilege: Equatable {
    /// The effective capabilities, a bit for each.
    var capabilities: UInt64
    /// The namespace of root itself; eBPF's capabilities count in no other.
    var isInitialUserNamespace: Bool

    /// Of the calling thread.
    static func current() -> Privilege {
        // Without a user namespace there is no such file.
        let map = readFile("/proc/thread-self/uid_map") ?? "0 0 4294967295"
        return Privilege(
            capabilities: effectiveCapabilities(),
            isInitialUserNamespace: map.split(whereSeparator: \.isWhitespace) == ["0", "0", "4294967295"])
    }

    func has(_ capability: Capability) -> Bool { capabilities & (1 << UInt64(capability.rawValue)) != 0 }

    /// The first that is missing; nil when all are there. `CAP_SYS_ADMIN` was `CAP_BPF` before 5.8, and still is.
    var missing: Capability? {
        if !has(.bpf), !has(.sysAdmin) { return .bpf }
        if !has(.netAdmin) { return .netAdmin }
        return has(.sysAdmin) ? nil : .sysAdmin
    }

    private static func effectiveCapabilities() -> UInt64 {
        var header = __user_cap_header_struct(version: UInt32(_LINUX_CAPABILITY_VERSION_3), pid: 0)
        var data = [__user_cap_data_struct](repeating: .init(), count: 2)
        guard unsafe capget(&header, &data) == 0 else { return 0 }
        return UInt64(data[1].effective) << 32 | UInt64(data[0].effective)
    }
}

/// Those that this data plane takes (`linux/capability.h`).
public struct Capability: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public var rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// Filters, links.
    public static let netAdmin = Capability(rawValue: CAP_NET_ADMIN)
    /// Finding programs and maps by their numbers.
    public static let sysAdmin = Capability(rawValue: CAP_SYS_ADMIN)
    /// Loading programs, creating maps.
    public static let bpf = Capability(rawValue: CAP_BPF)

    public var description: String {
        switch self {
        case .netAdmin: "CAP_NET_ADMIN"
        case .sysAdmin: "CAP_SYS_ADMIN"
        case .bpf: "CAP_BPF"
        default: "capability \(rawValue)"
        }
    }
}

/// A short file of the kernel's; nil when it can't be read.
func readFile(_ path: String) -> String? {
    let number = unsafe cbpf_open_to_read(path)
    guard number >= 0 else { return nil }
    let file = Descriptor(number)
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = unsafe read(file.number, &bytes, bytes.count)
    return count >= 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : nil
}
