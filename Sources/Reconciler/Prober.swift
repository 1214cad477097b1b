public import Tunnels

/// Asks an address through a link whether it answers. Tests give their own.
public struct Prober: Sendable {
    public struct Question: Hashable, Sendable {
        public let address: IPv4Address
        /// The link's name.
        public let link: InterfaceName
        /// The tunnel's own address; nil where it has none.
        public let source: IPv4Address?

        public init(address: IPv4Address, link: InterfaceName, source: IPv4Address?) {
            self.address = address
            self.link = link
            self.source = source
        }
    }

    /// Asks, again and again, until it was answered once, which is told, or until the closure that is returned is called.
    public var ask: @Sendable (Question, _ answered: @escaping @Sendable () -> Void) -> @Sendable () -> Void

    /// Why it can't ask, and what to do about it; nil where it can.
    public var obstacle: @Sendable () -> String? = { nil }

    public init(
        ask: @escaping @Sendable (Question, _ answered: @escaping @Sendable () -> Void) -> @Sendable () -> Void
    ) {
        self.ask = ask
    }

    /// Nobody answers.
    public static let silent = Prober { _, _ in {} }
}
