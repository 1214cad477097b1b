internal import Netlink
internal import Tunnels

/// How the kernel remembers what is ours.
enum Mark {
    /// The link group of our links ("tu" and 0), shown by `ip -d link`. The groups up to `lastGroup` are for links
    /// that are being deleted: `RTM_DELLINK` with a group deletes them all at once.
    static let group: UInt32 = 0x7475_0000
    static let lastGroup: UInt32 = 0x7475_FFFF
    /// Our routes' protocol number, free in iproute2's `rt_protos`.
    static let routeProtocol = RouteProtocol(rawValue: RouteProtocols.tunneld)

    /// The netlink port that the daemon of a network namespace holds ("tund"). Larger than any process id.
    static let port: UInt32 = 0x7475_6E64

    private static let aliasPrefix = "tunneld:"

    /// The link's alias, shown by `ip link`: whose it is.
    static func alias(of tunnel: TunnelID) -> String {
        aliasPrefix + tunnel.text
    }

    /// Whose a link is, where group and alias say so both, and what it bears of the mark where that isn't enough: a
    /// part of it, or all of it without an ifindex of our choice. Such a link was adopted, or somebody copied a mark.
    static func read(_ link: Link) -> (owner: TunnelID?, remains: MarkRemains?) {
        guard let kind = link.kind, DataPlaneKind.allLinkKinds.contains(kind) else { return (nil, nil) }
        let isInGroup = link.group.map { (group...lastGroup).contains($0) } ?? false
        guard let tunnel = tunnel(named: link.alias) else {
            return (nil, isInGroup ? .group(alias: link.alias ?? "") : nil)
        }
        guard isInGroup else { return (nil, .alias(tunnel, group: link.group ?? 0)) }
        return link.index >= KernelDataPlane.firstIndex ? (tunnel, nil) : (nil, .whole(tunnel))
    }

    private static func tunnel(named alias: String?) -> TunnelID? {
        guard let alias, alias.hasPrefix(aliasPrefix) else { return nil }
        return TunnelID(alias.dropFirst(aliasPrefix.count))
    }
}
