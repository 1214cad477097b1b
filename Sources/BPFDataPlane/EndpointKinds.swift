internal import CBPF

/// Which kinds of endpoints there are, so that the ingress program needn't look for others.
struct EndpointKinds: Equatable {
    /// The links that tunnels are bound to.
    fileprivate var bound: Set<UInt32> = []
    /// Whether a tunnel has no local address.
    fileprivate var isAnyLocal = false

    init(_ configurations: some Sequence<tun_config>) {
        for configuration in configurations { insert(configuration.endpoint) }
    }

    mutating func insert(_ endpoint: tun_endpoint) {
        if endpoint.underlay != 0 { bound.insert(endpoint.underlay) }
        if endpoint.local == 0 { isAnyLocal = true }
    }
}

extension underlay {
    /// Tells the program of this link's; nil, where they aren't known, is all kinds.
    mutating func note(_ kinds: EndpointKinds?, of link: UInt32) {
        none_bound = kinds.map { $0.bound.contains(link) ? 0 : 1 } ?? 0
        none_any = kinds.map { $0.isAnyLocal ? 0 : 1 } ?? 0
    }
}
