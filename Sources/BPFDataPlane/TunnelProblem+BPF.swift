internal import Netlink
internal import Tunnels

extension TunnelProblem {
    init(_ error: BPFError) {
        self.init(
            error.code == .permissionDenied ? .permissionMissing : .kernelRefused,
            "eBPF failed to \(error.description)", errno: error.code.description,
            kernelMessage: error.log.isEmpty ? nil : error.log)
    }

    init(_ error: TunError) {
        switch error {
        case .notPermitted: self.init(.permissionMissing, "no TUN device: \(error)", errno: "EPERM")
        case .noNode, .noDriver, .otherNode: self.init(.kindUnsupported, "no TUN device: \(error)")
        case .taken, .invalid: self.init(.kernelRefused, "no TUN device: \(error)")
        case .failed(_, let code): self.init(.kernelRefused, "no TUN device: \(error)", errno: code.description)
        }
    }
}
