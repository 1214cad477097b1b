extension TunnelPlan {
    /// The part of it that closes some of its differences and leaves the rest of the link as it is.
    ///
    /// - Parameter link: the tunnel's, as it is; nil where there is none.
    public func closing(_ chosen: [Difference], on link: ObservedLink?) -> TunnelPlan {
        guard let link else {
            let isChosen = chosen.contains(.linkMissing)
            return TunnelPlan(
                tunnel: tunnel, name: name, ifindex: ifindex, differences: chosen,
                operations: isChosen ? operations : [])
        }
        let operations = operations.compactMap { operation -> Operation? in
            switch operation {
            case .mark: chosen.contains(where: \.isMark) ? operation : nil
            case .change(let kind, let parameters):
                // Puts the programs back, and leaves the endpoints as somebody set them.
                chosen.contains(where: \.isOfCarrier)
                    ? .change(kind: kind, parameters: link.parameters ?? parameters)
                    : nil
            case .setMTU: chosen.contains(where: \.isMTU) ? operation : nil
            case .setUp(let up): chosen.contains(.up(desired: up)) ? operation : nil
            case .addAddress(let address): chosen.contains(.addressMissing(address)) ? operation : nil
            case .removeAddress(let address): chosen.contains(.addressExtra(address)) ? operation : nil
            case .addRoute(let route): chosen.contains(.routeMissing(route)) ? operation : nil
            case .removeRoute(let route): chosen.contains(.routeExtra(route)) ? operation : nil
            case .create, .rename, .delete: nil
            }
        }
        return TunnelPlan(
            tunnel: tunnel, name: name, ifindex: ifindex, differences: chosen, operations: operations)
    }
}

extension Difference {
    /// Whether it is repaired under every policy: the mark and what carries the packets are ours, not the definition's.
    ///
    /// - Parameter link: the tunnel's, as it is.
    public func isOurs(on link: ObservedLink?) -> Bool {
        switch self {
        case .mark, .programs: true
        // The programs' maps lost it.
        case .parameter: link.map { $0.parameters == nil } ?? false
        default: false
        }
    }

    fileprivate var isMark: Bool { if case .mark = self { true } else { false } }
    fileprivate var isMTU: Bool { if case .mtu = self { true } else { false } }
    fileprivate var isOfCarrier: Bool {
        switch self {
        case .programs, .parameter: true
        default: false
        }
    }
}
