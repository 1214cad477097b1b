package import Netlink
package import Tunnels

extension TunnelProblem {
    /// What a failed request means to the user.
    ///
    /// - Parameter obstacle: why nothing stands in for a kind that the kernel lacks.
    package init(_ error: NetlinkError, kind: TunnelKind = .ipip, obstacle: String? = nil) {
        let errno = error.code.description
        switch error.code {
        case .permissionDenied:
            self.init(
                .permissionMissing,
                "tunneld needs CAP_NET_ADMIN in this network namespace: run it as root, or give it the capability (\(error.operation)).",
                errno: errno, kernelMessage: error.kernelMessage)
        case .notSupported where error.operation.hasPrefix("create link"):
            self.init(
                .kindUnsupported,
                "the kernel has no \(kind.rawValue) and can't load it: install the kernel's module \(kind.rawValue) (on Debian in linux-image-amd64 or linux-image-cloud-amd64), or boot a kernel that has it."
                    + (obstacle.map { " eBPF can't stand in for it: \($0)." } ?? ""),
                errno: errno, kernelMessage: error.kernelMessage)
        default:
            self.init(
                .kernelRefused, "the kernel refused to \(error.description)", errno: errno,
                kernelMessage: error.kernelMessage)
        }
    }
}
