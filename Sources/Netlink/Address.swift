internal import CMnl

/// An IPv4 address of a link.
public struct Address: Hashable, Sendable {
    /// Ifindex of the link.
    public var interface: UInt32
    /// The address itself (`IFA_LOCAL`).
    public var local: IPv4
    /// 0…32.
    public var prefixLength: UInt8
    /// The other end's address, where it isn't in the prefix of ours (`IFA_ADDRESS`).
    public var peer: IPv4?
    public var broadcast: IPv4?
    public var scope: Scope = .universe
    public var label: String?
    public var flags: AddressFlags = []
    /// Who added it (`IFA_PROTO`, kernels since 5.18).
    public var proto: UInt8?
    public var other = RawAttributes()

    public init(_ local: IPv4, prefixLength: UInt8, interface: UInt32) {
        self.local = local
        self.prefixLength = prefixLength
        self.interface = interface
    }
}

/// How far an address or a route is valid (`RT_SCOPE_…`).
public struct Scope: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let universe = Scope(rawValue: UInt8(RT_SCOPE_UNIVERSE.rawValue))
    public static let site = Scope(rawValue: UInt8(RT_SCOPE_SITE.rawValue))
    /// Only on this link: a route without a gateway.
    public static let link = Scope(rawValue: UInt8(RT_SCOPE_LINK.rawValue))
    public static let host = Scope(rawValue: UInt8(RT_SCOPE_HOST.rawValue))
    public static let nowhere = Scope(rawValue: UInt8(RT_SCOPE_NOWHERE.rawValue))
}

/// `IFA_FLAGS`.
public struct AddressFlags: OptionSet, Hashable, Sendable {
    public var rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let secondary = AddressFlags(rawValue: UInt32(IFA_F_SECONDARY))
    public static let permanent = AddressFlags(rawValue: UInt32(IFA_F_PERMANENT))
    /// The kernel adds no route for the prefix.
    public static let noPrefixRoute = AddressFlags(rawValue: UInt32(IFA_F_NOPREFIXROUTE))
}

extension Address {
    /// Reads the body of `RTM_NEWADDR` or `RTM_DELADDR`.
    ///
    /// - Parameter keepingOther: whether what isn't interpreted is kept. A dump saves an allocation without it.
    init(_ body: RawSpan, keepingOther: Bool = true) throws(Malformed) {
        let header = try body.load(ifaddrmsg.self)
        self.init(.any, prefixLength: header.ifa_prefixlen, interface: header.ifa_index)
        scope = Scope(rawValue: header.ifa_scope)
        flags = AddressFlags(rawValue: UInt32(header.ifa_flags))
        try body.forEachAttribute(after: MemoryLayout<ifaddrmsg>.size) {
            (type, value, whole) throws(Malformed) in
            switch type {
            case IFA_LOCAL: local = try value.address()
            case IFA_ADDRESS: peer = try value.address()
            case IFA_BROADCAST: broadcast = try value.address()
            case IFA_LABEL: label = value.string()
            case IFA_PROTO: proto = try value.number()
            case IFA_FLAGS: flags = AddressFlags(rawValue: try value.number())
            default: if keepingOther { other.append(whole) }
            }
        }
        // The kernel always tells one; without a peer it is the address again.
        if peer == local { peer = nil }
    }

    /// Writes the body of a message, in the kernel's own order (`inet_fill_ifaddr`).
    func body() -> MessageWriter {
        var writer = MessageWriter(
            ifaddrmsg(
                ifa_family: UInt8(AF_INET), ifa_prefixlen: prefixLength,
                ifa_flags: UInt8(truncatingIfNeeded: flags.rawValue), ifa_scope: scope.rawValue,
                ifa_index: interface))
        writer.put(IFA_ADDRESS, peer ?? local)
        writer.put(IFA_LOCAL, local)
        if let broadcast { writer.put(IFA_BROADCAST, broadcast) }
        if let label { writer.put(IFA_LABEL, label) }
        if let proto { writer.put(IFA_PROTO, proto) }
        writer.put(IFA_FLAGS, flags.rawValue)
        writer.put(other)
        return writer
    }

    var text: String { "\(local)/\(prefixLength)" }
}

extension Request {
    /// Adds an address to a link; `EEXIST` when the link has it (`ip address add`).
    public static func addAddress(_ address: Address) -> Request {
        Request(
            "add address \(address.text) to link number \(address.interface)", type: RTM_NEWADDR,
            flags: NLM_F_CREATE | NLM_F_EXCL, address.body())
    }

    /// Adds an address, or changes flags and metric of one that the link has (`ip address replace`).
    public static func replaceAddress(_ address: Address) -> Request {
        Request(
            "replace address \(address.text) of link number \(address.interface)", type: RTM_NEWADDR,
            flags: NLM_F_CREATE | NLM_F_REPLACE, address.body())
    }

    /// `EADDRNOTAVAIL` when the link hasn't got it (`ip address delete`).
    public static func deleteAddress(_ address: Address) -> Request {
        Request(
            "delete address \(address.text) of link number \(address.interface)", type: RTM_DELADDR,
            address.body())
    }
}

extension NetlinkSocket {
    /// All IPv4 addresses, or those of one link; `ENODEV` when that isn't there.
    public func addresses(interface: UInt32? = nil) throws(NetlinkError) -> [Address] {
        try addresses(interface: interface, into: []) { $0.append($1) }
    }

    /// Folds all IPv4 addresses, or those of one link, into a value.
    ///
    /// - Parameters:
    ///   - initial: asked for again when the kernel says that the dump was inconsistent.
    ///   - body: `Address.other` is empty in what it gets.
    public func addresses<Result>(
        interface: UInt32? = nil, into initial: @autoclosure () -> Result, _ body: (inout Result, Address) -> Void
    ) throws(NetlinkError) -> Result {
        let filter = MessageWriter(
            ifaddrmsg(
                ifa_family: UInt8(AF_INET), ifa_prefixlen: 0, ifa_flags: 0, ifa_scope: 0,
                ifa_index: interface ?? 0))
        let request = Request("read the addresses", type: RTM_GETADDR, flags: NLM_F_DUMP, filter)
        return try dump(request, answer: RTM_NEWADDR, into: initial()) { (result, payload) throws(Malformed) in
            let address = try Address(payload, keepingOther: false)
            // A kernel before 4.20 answers with all.
            if interface == nil || address.interface == interface { body(&result, address) }
        }
    }

    /// How many IPv6 addresses of more than the link itself each link has, by ifindex.
    public func ipv6AddressCounts() throws(NetlinkError) -> [UInt32: Int] {
        let filter = MessageWriter(
            ifaddrmsg(ifa_family: UInt8(AF_INET6), ifa_prefixlen: 0, ifa_flags: 0, ifa_scope: 0, ifa_index: 0))
        let request = Request("read the IPv6 addresses", type: RTM_GETADDR, flags: NLM_F_DUMP, filter)
        return try dump(request, answer: RTM_NEWADDR, into: [:]) { (counts, payload) throws(Malformed) in
            let header = try payload.load(ifaddrmsg.self)
            // A kernel without IPv6 answers with those of other families.
            guard header.ifa_family == UInt8(AF_INET6), Scope(rawValue: header.ifa_scope) == .universe else { return }
            counts[header.ifa_index, default: 0] += 1
        }
    }
}
