internal import CMnl

extension Request {
    /// Creates a link that doesn't exist yet; `EEXIST` where its name, index or endpoints are taken
    /// (`ip link add`). Give it an index, and the same send can hold its addresses and routes.
    public static func createLink(_ link: Link) -> Request {
        Request(
            "create link \(link.label)", type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL,
            link.body(changing: link.flags))
    }

    /// Changes what the driver of a link is set to, in place (`ip link change`). Leaves its flags alone.
    ///
    /// Give it the MTU too where one was chosen: with a new underlay link or fwmark, `ipip` sets it to what the
    /// underlay allows unless the message has one (`ip_tunnel_update`).
    public static func changeLink(_ link: Link) -> Request {
        var link = link
        link.flags = []
        return Request("change link \(link.label)", type: RTM_NEWLINK, link.body(changing: []))
    }

    /// Changes the properties that each link has (`ip link set`).
    public static func setLink(_ index: UInt32, _ change: LinkChange) -> Request {
        var link = Link(index: index, name: change.name)
        link.flags = change.up == true ? .up : []
        link.mtu = change.mtu
        link.group = change.group
        link.alias = change.alias
        link.namespace = change.namespace
        var body = link.body(changing: change.up == nil ? [] : .up)
        change.ipv6AddressGeneration?.put(into: &body)
        return Request("set link number \(index)", type: RTM_SETLINK, body)
    }

    /// `ENODEV` when it isn't there (`ip link delete`).
    public static func deleteLink(_ index: UInt32) -> Request {
        Request("delete link number \(index)", type: RTM_DELLINK, Link(index: index).body(changing: []))
    }

    /// Deletes all links of a group at once; `ENODEV` when it is empty, `EOPNOTSUPP`, and nothing deleted, when one
    /// of them can't be (`ip link delete group`).
    ///
    /// - Precondition: the group isn't 0, where every link begins; that is refused here with `EINVAL`.
    public static func deleteLinks(inGroup group: UInt32) -> Request {
        var link = Link()
        link.group = group
        var body = link.body(changing: [])
        if group == 0 { body.fail(Malformed("group 0 holds every link that has no other")) }
        return Request("delete the links of group \(group)", type: RTM_DELLINK, body)
    }

    /// Answers with `.link`, or `ENODEV`.
    public static func readLink(_ index: UInt32) -> Request { readLink(Link(index: index)) }

    public static func readLink(named name: String) -> Request { readLink(Link(name: name)) }

    private static func readLink(_ link: Link) -> Request {
        Request("read link \(link.label)", type: RTM_GETLINK, link.body(changing: []).withoutIPv6Counters())
    }
}

extension MessageWriter {
    /// The counters that IPv6 keeps for a link are longer than all the rest of it, and of no use here.
    fileprivate func withoutIPv6Counters() -> MessageWriter {
        var writer = self
        writer.put(IFLA_EXT_MASK, UInt32(RTEXT_FILTER_SKIP_STATS))
        return writer
    }
}

/// What `Request.setLink` shall change; nil leaves it as it is.
public struct LinkChange: Hashable, Sendable {
    public var up: Bool?
    public var mtu: UInt32?
    public var name: String?
    /// An empty one removes it.
    public var alias: String?
    public var group: UInt32?
    /// How the link gets IPv6 addresses of its own. It takes a message of its own between creating a link and
    /// switching it on: a create that says it is refused with `EAFNOSUPPORT` (checked on 6.1 and 6.18), and in a
    /// message that also switches on it comes too late. `EAFNOSUPPORT` on a kernel without IPv6.
    public var ipv6AddressGeneration: IPv6AddressGeneration?
    /// Moves the link into that network namespace.
    public var namespace: NamespaceReference?

    public init(
        up: Bool? = nil, mtu: UInt32? = nil, name: String? = nil, alias: String? = nil, group: UInt32? = nil,
        ipv6AddressGeneration: IPv6AddressGeneration? = nil, namespace: NamespaceReference? = nil
    ) {
        self.up = up
        self.mtu = mtu
        self.name = name
        self.alias = alias
        self.group = group
        self.ipv6AddressGeneration = ipv6AddressGeneration
        self.namespace = namespace
    }
}

extension IPv6AddressGeneration {
    fileprivate func put(into writer: inout MessageWriter) {
        let number =
            switch self {
            case .off: UInt8(IN6_ADDR_GEN_MODE_NONE.rawValue)
            case .eui64: UInt8(IN6_ADDR_GEN_MODE_EUI64.rawValue)
            }
        writer.nested(IFLA_AF_SPEC) { families in
            families.nested(Int(AF_INET6)) { $0.put(IFLA_INET6_ADDR_GEN_MODE, number) }
        }
    }
}

extension NetlinkSocket {
    /// All links, or those of one kind.
    public func links(kind: String? = nil) throws(NetlinkError) -> [Link] {
        try links(kind: kind, into: []) { $0.append($1) }
    }

    /// Folds all links, or those of one kind, into a value, without keeping them.
    ///
    /// - Parameters:
    ///   - kind: the driver's name. Kernels since 4.20 leave the others out of the answer.
    ///   - initial: asked for again when the kernel says that the dump was inconsistent.
    ///   - body: `Link.other` is empty in what it gets.
    public func links<Result>(
        kind: String? = nil, into initial: @autoclosure () -> Result, _ body: (inout Result, Link) -> Void
    ) throws(NetlinkError) -> Result {
        var filter = Link().body(changing: [])
        if let kind { LinkInfo.plain(kind).put(into: &filter) }
        let request = Request(
            "read the links", type: RTM_GETLINK, flags: NLM_F_DUMP, filter.withoutIPv6Counters())
        return try dump(request, answer: RTM_NEWLINK, into: initial()) { (result, payload) throws(Malformed) in
            let link = try Link(payload, keepingOther: false)
            // A kernel that doesn't know the kind answers with all links.
            if kind == nil || link.kind == kind { body(&result, link) }
        }
    }
}
