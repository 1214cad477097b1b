/// What the kernel was asked and what it told since the start, for metrics.
public struct KernelActivity: Hashable, Sendable {
    /// Messages that ask for a change: an unchanged host stays at 0.
    public var changes = 0
    /// All messages, those that only read among them.
    public var messages = 0
    /// Messages that the kernel refused, also those whose object was gone.
    public var refusals = 0
    /// Lists that changed while they were read, and were read again.
    public var interruptedDumps = 0
    /// Changes on the host that the kernel told of.
    public var events = 0
    /// How often it couldn't tell of some.
    public var overflows = 0

    public init() {}
}
