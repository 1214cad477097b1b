internal import Netlink
internal import Tunnels

/// How the kernel remembers what is ours.
enum Mark {
    /// The link group of our links ("tu" and 0), shown by `ip -d link`. The groups up to `lastGroup` are for links
    /// that are being deleted: `RTM_DELLINK` with a group deletes them all at once.
    static let group: UInt32 = 0x7475_0000
    static let lastGroup: UInt32 = 0x7475_FFFF
    /// Our routes' protocol number, free in iproute2's `rt_protos`.
    static let routeProtocol = RouteProtocol(rawValue: 116)

    /// The netlink port that the daemon of a network namespace holds ("tund"). Larger than any process id.
    static let port: UInt32 = 0x7475_6E64

    private static let aliasPrefix = "tunneld:"

    /// The link's alias, shown by `ip link`: whose it is.
    static func alias(of tunnel: TunnelID) -> String {
        aliasPrefix + tunnel.text
    }

    /// Whose a link is. Group and alias must both be ours: somebody may have copied one.
    static func owner(of link: Link) -> TunnelID? {
        guard let group = link.group, (Mark.group...lastGroup).contains(group), link.kind == IPTunnel.kind,
            let alias = link.alias, alias.hasPrefix(aliasPrefix)
        else { return nil }
        return TunnelID(alias.dropFirst(aliasPrefix.count))
    }
}
