internal import CBPF
public import Netlink

/// A TUN device that lasts without a process that holds it (`drivers/net/tun.c`). It goes by `Request.deleteLink`.
public enum TunDevice {
    /// Creates one, down, in the network namespace of the thread that calls. It carries bare IP packets.
    ///
    /// - Parameters:
    ///   - name: up to 15 bytes.
    ///   - index: its ifindex.
    ///   - segmentation: whether it takes TCP segments of up to 64 KiB and leaves checksums open, as an `ipip` link
    ///     does (`TUN_F_TSO4`, `TUN_F_CSUM`).
    ///   - finish: done to the device while it would still go with this process.
    public static func create(
        name: String, index: UInt32, segmentation: Bool = true, finish: () throws(TunError) -> Void = {}
    ) throws(TunError) {
        let device = try open(name: name, index: index)
        if segmentation {
            let offloads = UInt32(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN)
            try step("switch on segmentation offload") { cbpf_tun_set_offloads(device.number, offloads) }
        }
        try finish()
        try step("make the device persistent") { cbpf_tun_set_persistent(device.number) }
    }

    /// One that goes with its descriptor.
    static func open(name: String, index: UInt32) throws(TunError) -> Descriptor {
        let isPlain = name.utf8.allSatisfy { $0 != 0 && $0 != UInt8(ascii: "%") && $0 != UInt8(ascii: "/") }
        guard (1...15).contains(name.utf8.count), isPlain, index > 0, index <= UInt32(Int32.max) else {
            throw .invalid(name: name, index: index)
        }
        let device = try openNode()
        let number = device.number
        try step("choose the ifindex") { cbpf_tun_set_index(number, index) }
        // Without IFF_TUN_EXCL it would attach to a device that is there.
        let flags = IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL
        try step("create the device") { unsafe cbpf_tun_set_name(number, name, flags) }
        return device
    }

    /// What devices are made of; it makes none.
    static func openNode() throws(TunError) -> Descriptor {
        let number = unsafe cbpf_open("/dev/net/tun")
        guard number >= 0 else { throw TunError(opening: cbpf_errno()) }
        let node = Descriptor(number)
        guard cbpf_tun_features(number) >= 0 else { throw .otherNode }
        return node
    }

    private static func step(_ step: String, _ call: () -> Int32) throws(TunError) {
        guard call() < 0 else { return }
        let errno = cbpf_errno()
        switch errno {
        case EPERM: throw .notPermitted(step)
        case EBUSY, EEXIST: throw .taken
        default: throw .failed(step, NetlinkError.Code(rawValue: errno))
        }
    }
}

/// Why there is no TUN device.
public enum TunError: Error, Hashable, Sendable {
    /// `/dev/net/tun` isn't there: the module isn't loaded, or it's a container that wasn't given it.
    case noNode
    /// It is there, and this kernel has no driver for it (`ENODEV`, `ENXIO`).
    case noDriver
    /// It is something else than the driver's node.
    case otherNode
    /// `EPERM` or `EACCES`: no `CAP_NET_ADMIN` in this network namespace, or a container that may not open the node.
    case notPermitted(String)
    /// `EBUSY`: another device has the name or the ifindex.
    case taken
    /// No device can be called so, or have that number.
    case invalid(name: String, index: UInt32)
    /// The step, and how it failed.
    case failed(String, NetlinkError.Code)

    init(opening errno: Int32) {
        switch errno {
        case ENOENT: self = .noNode
        case ENODEV, ENXIO: self = .noDriver
        case EPERM, EACCES: self = .notPermitted("open /dev/net/tun")
        default: self = .failed("open /dev/net/tun", NetlinkError.Code(rawValue: errno))
        }
    }
}

extension TunError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noNode: "/dev/net/tun isn't there: load the module tun; a container must be given that device"
        case .noDriver: "this kernel has no TUN driver (CONFIG_TUN, module tun)"
        case .otherNode: "/dev/net/tun isn't the TUN driver's; it is the character device 10, 200 where it is"
        case .notPermitted(let step):
            "not permitted: \(step); it takes CAP_NET_ADMIN, and in a container leave to use /dev/net/tun"
        case .taken: "another device has the name or the ifindex"
        case .invalid(let name, let index): "no device can be called “\(name)” with ifindex \(index)"
        case .failed(let step, let code): "\(step): \(code)"
        }
    }
}
