internal import CMnl
internal import Synchronization

/// Holds a port number of rtnetlink in the network namespace of the thread that made it, for as long as it lives. The
/// kernel gives each number to one socket of a namespace, so this is a lock without a file that a crash leaves.
public final class PortClaim: Sendable {
    private let socket: Mutex<KernelSocket>

    /// - Parameter port: one that the kernel wouldn't choose by itself: those are process ids.
    /// - Throws: `EADDRINUSE` (`.addressInUse`) where somebody holds it.
    public init(_ port: UInt32) throws(NetlinkError) {
        socket = Mutex(try KernelSocket(port: port, receiveBuffer: 4096))
    }
}
