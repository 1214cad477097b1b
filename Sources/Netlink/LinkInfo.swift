internal import CMnl

/// `IFLA_LINKINFO`: the driver of a link, and what the driver is set to.
public struct LinkInfo: Hashable, Sendable {
    /// What the driver is set to (`IFLA_INFO_DATA`).
    public enum Data: Hashable, Sendable {
        case none
        case ipip(IPTunnel)
        /// The other end, in a create. The kernel doesn't tell it.
        indirect case veth(peer: Link)
        /// That of a driver which this module doesn't interpret.
        case other(RawAttributes)
    }

    /// The driver's name; nil where the message tells only of the master's (`IFLA_INFO_SLAVE_KIND`).
    public var kind: String?
    public var data: Data
    public var other = RawAttributes()

    /// A link of a driver that needs no settings: "ifb", "dummy", "bridge".
    public static func plain(_ kind: String) -> LinkInfo { LinkInfo(kind: kind, data: .none) }
    public static func ipip(_ tunnel: IPTunnel) -> LinkInfo {
        LinkInfo(kind: IPTunnel.kind, data: .ipip(tunnel))
    }
    /// A pair; the peer's `namespace` says where its end shall be. The kernel can't create the peer switched on.
    public static func veth(peer: Link) -> LinkInfo { LinkInfo(kind: "veth", data: .veth(peer: peer)) }

    init(kind: String?, data: Data) {
        self.kind = kind
        self.data = data
    }

    public var tunnel: IPTunnel? {
        if case .ipip(let tunnel) = data { tunnel } else { nil }
    }

    init(_ payload: RawSpan) throws(Malformed) {
        self.init(kind: nil, data: .none)
        try payload.forEachAttribute { (type, value, whole) throws(Malformed) in
            switch type {
            case IFLA_INFO_KIND: kind = value.string()
            // The kernel writes the kind first, and needs it first in a request.
            case IFLA_INFO_DATA where kind == IPTunnel.kind: data = .ipip(try IPTunnel(value))
            case IFLA_INFO_DATA:
                var attributes = RawAttributes()
                attributes.reserve(value.byteCount)
                try value.forEachAttribute { (_, _, whole) throws(Malformed) in attributes.append(whole) }
                data = .other(attributes)
            default: other.append(whole)
            }
        }
    }

    func put(into writer: inout MessageWriter) {
        writer.nested(IFLA_LINKINFO) { info in
            if let kind { info.put(IFLA_INFO_KIND, kind) }
            switch data {
            case .none: break
            case .ipip(let tunnel): info.nested(IFLA_INFO_DATA) { tunnel.put(into: &$0) }
            case .other(let attributes): info.nested(IFLA_INFO_DATA) { $0.put(attributes) }
            case .veth(let peer):
                info.nested(IFLA_INFO_DATA) { data in
                    data.nested(VETH_INFO_PEER) { end in
                        end.putHeader(peer.header(changing: peer.flags))
                        peer.put(into: &end)
                    }
                }
            }
            info.put(other)
        }
    }
}
