package import Netlink
internal import Synchronization
public import Tunnels

/// What the kernel was asked for since the start, counted where the messages are made. The changes among it: an
/// unchanged host stays at 0.
public final class ChangeCounter: Sendable {
    private let count = Atomic<Int>(0)
    /// Of all sockets of the data plane and of those that only read.
    package let netlink = NetlinkCounters()

    public init() {}

    public var value: Int { count.load(ordering: .relaxed) }

    /// Without what the kernel told by itself: that is the monitor's.
    public var activity: KernelActivity {
        var activity = KernelActivity()
        activity.changes = value
        activity.messages = netlink.messages
        activity.refusals = netlink.refusals
        activity.interruptedDumps = netlink.interruptedDumps
        return activity
    }

    package func add(_ changes: Int) {
        count.wrappingAdd(changes, ordering: .relaxed)
    }
}
