/// An address on a link, as `ip addr add` takes it: `192.168.1.1/24`, or with another host's address as
/// the far end of the link, `192.168.1.1 peer 192.168.1.254/32`.
public struct InterfaceAddress: Hashable, Sendable {
    public let local: IPv4Address
    /// The far end; nil where the address stands for its whole prefix.
    public let peer: IPv4Address?
    /// 0 to 32; of the peer where there is one.
    public var prefixLength: Int { Int(length) }

    /// A byte: looks hold one for each link.
    private let length: UInt8

    public init(local: IPv4Address, peer: IPv4Address? = nil, prefixLength: Int) {
        self.local = local
        self.peer = peer == local ? nil : peer
        length = UInt8(min(max(prefixLength, 0), 32))
    }

    /// Reads either form. The prefix length must be given: a forgotten one is the commonest mistake.
    public init?(_ text: String) {
        guard text.utf8.contains(UInt8(ascii: " ")) else {
            guard let (address, length) = splitPrefix(text), let length else { return nil }
            self.init(local: address, prefixLength: length)
            return
        }
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words[1] == "peer", let local = IPv4Address(words[0]),
            let (peer, length) = splitPrefix(words[2]), let length, peer != local
        else { return nil }
        self.init(local: local, peer: peer, prefixLength: length)
    }

    /// The network that the kernel routes into the link when it gets this address.
    public var onLinkPrefix: IPv4Prefix {
        IPv4Prefix(containing: peer ?? local, length: prefixLength)
    }
}

extension InterfaceAddress: CustomStringConvertible {
    public var description: String {
        if let peer { "\(local) peer \(peer)/\(prefixLength)" } else { "\(local)/\(prefixLength)" }
    }
}
