/// A field of the outer header as `IFLA_IPTUN_TTL` and `IFLA_IPTUN_TOS` have it (`struct iphdr` in `ip_tunnel_parm`).
extension HeaderField {
    /// 0 is inherit.
    public init(ttlByte: UInt8) { self = ttlByte == 0 ? .inherit : .fixed(ttlByte) }

    /// The lowest bit, which no tos has, is inherit.
    public init(tosByte: UInt8) { self = tosByte & 1 == 1 ? .inherit : .fixed(tosByte) }

    public var ttlByte: UInt8 {
        switch self {
        case .inherit: 0
        case .fixed(let value): value
        }
    }

    public var tosByte: UInt8 {
        switch self {
        case .inherit: 1
        case .fixed(let value): value
        }
    }
}
