extension TunnelDefinition {
    /// The longest prefix that the tunnel's own addresses and routes send into it and that holds its remote; nil if
    /// none does. Outer packets would then go into the tunnel again, unless a longer prefix leads elsewhere. A tunnel
    /// that names its underlay can't: its outer packets are routed on that link alone.
    public var prefixAroundRemote: IPv4Prefix? {
        guard underlay == nil else { return nil }
        return (addresses.map(\.onLinkPrefix) + routes.map(\.to))
            .filter { $0.contains(remote) }
            .max { $0.length < $1.length }
    }
}

extension TunnelProblem {
    public static func routeSwallowsRemote(_ prefix: IPv4Prefix, remote: IPv4Address) -> TunnelProblem {
        let detail =
            "\(prefix) holds the remote \(remote), so the tunnel's outer packets would go into the tunnel again; "
            + "leave it out, or first add a route to \(remote)/32 by the underlay."
        return TunnelProblem(.routeSwallowsRemote, detail)
    }
}
