import BPFDataPlane
import Glibc
import Netlink
import Testing

/// A network namespace of its own, and the trial programs. It takes root (`CAP_SYS_ADMIN`) and a kernel with eBPF:
/// without, each test fails and says which of these it is.
struct Trial {
    let namespace: NetworkNamespace
    let socket: NetlinkSocket

    struct Impossible: Error, CustomStringConvertible {
        let description: String
    }

    init() throws {
        do {
            namespace = try NetworkNamespace()
        } catch {
            throw Impossible(description: "these tests need root, to make a network namespace: \(error)")
        }
        socket = try namespace.run { try NetlinkSocket() }
    }

    static let image = PackageResources.trial_bpf_o
    static let rejected = PackageResources.rejected_bpf_o

    /// The trial programs, loaded.
    static func load(reusing maps: [LoadedMap] = []) throws -> ProgramObject {
        do throws(BPFError) {
            return try ProgramObject(loading: image, name: "trial", reusing: maps)
        } catch {
            guard error.code == .permissionDenied else { throw error }
            throw Impossible(description: "these tests need root, to load programs into the kernel: \(error)")
        }
    }

    /// As `struct counter` in trial.bpf.c.
    struct Counter: BitwiseCopyable, Hashable {
        var packets: UInt64 = 0
        var bytes: UInt64 = 0
    }

    func tun(_ name: String, _ index: UInt32) throws {
        try namespace.run { try TunDevice.create(name: name, index: index) }
    }

    func veth() throws {
        try socket.execute(.createLink(Link(index: 20, name: "near", info: .veth(peer: Link(index: 21, name: "far")))))
    }
}

/// Sends datagrams from this thread's network namespace, to nobody's port.
func send(_ times: Int, bytes: Int, to destination: IPv4) {
    let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(9).bigEndian
    address.sin_addr.s_addr = destination.rawValue.bigEndian
    let payload = [UInt8](repeating: 0, count: bytes)
    for _ in 0..<times {
        withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = sendto(descriptor, payload, payload.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
