internal import Netlink
public import Tunnels

/// Sees to it that one daemon manages a network namespace: two with different databases would prune each other's links.
public final class NamespaceClaim: Sendable {
    private let port: PortClaim

    /// Claims the network namespace of the thread that calls, until the object goes.
    public init() throws(TunnelProblem) {
        do throws(NetlinkError) {
            port = try PortClaim(Mark.port)
        } catch {
            guard error.code == .addressInUse else { throw TunnelProblem(error) }
            throw TunnelProblem(
                .kernelRefused,
                "another tunneld manages the links of this network namespace (it holds the netlink port \(Mark.port), "
                    + "which `ss -f netlink` shows); stop it first.",
                errno: error.code.description)
        }
    }
}
