/// What a definition becomes when somebody else's changes of its link are taken into it.
public struct DriftAdoption: Sendable {
    public private(set) var definition: TunnelDefinition
    /// Those that it took.
    public private(set) var adopted: [Difference] = []
    /// Those that no definition can have, and why.
    public private(set) var refused: [Refused] = []

    public struct Refused: Error, Hashable, Sendable {
        public let difference: Difference
        /// For people; goes on after "because".
        public let reason: String

        public init(_ difference: Difference, because reason: String) {
            self.difference = difference
            self.reason = reason
        }
    }

    /// As many of the differences as go together. What stays keeps its order; what is new stands at the end.
    ///
    /// - Parameters:
    ///   - link: the tunnel's, as it is.
    ///   - observed: for the names of underlays.
    public init(
        of differences: [Difference], on link: ObservedLink, into definition: TunnelDefinition,
        in observed: ObservedState
    ) {
        self.definition = definition
        var open = differences
        // One may need another: a fixed ttl pmtudisc, an address that its former self is gone.
        var isProgressing = true
        while isProgressing, !open.isEmpty {
            isProgressing = false
            refused = []
            for difference in open {
                do throws(Refused) {
                    self.definition = try self.definition.taking(difference, from: link, in: observed)
                    adopted.append(difference)
                    isProgressing = true
                } catch {
                    refused.append(error)
                }
            }
            open = refused.map(\.difference)
        }
    }
}

extension Difference {
    /// Whether it is of something that a definition has a field for.
    public var isAdoptable: Bool {
        switch self {
        case .linkMissing, .mark, .programs: false
        case .name, .parameter, .mtu, .up, .addressMissing, .addressExtra, .routeMissing, .routeExtra: true
        }
    }
}

extension TunnelDefinition {
    fileprivate func taking(
        _ difference: Difference, from link: ObservedLink, in observed: ObservedState
    ) throws(DriftAdoption.Refused) -> TunnelDefinition {
        var changed = self
        do throws(Violation) {
            switch difference {
            case .linkMissing, .mark, .programs: break
            case .name(_, let observed): changed.name = try Self.name(observed, at: "/name")
            case .parameter(let field, _, _): try changed.take(field, from: link, in: observed)
            case .mtu(_, let observed): changed.mtu = observed
            case .up(let desired): changed.enabled = !desired
            case .addressMissing(let address): changed.addresses.removeAll { $0 == address }
            case .addressExtra(let address): changed.addresses.append(address)
            case .routeMissing(let route): changed.routes.removeAll { $0 == route }
            case .routeExtra(let route): changed.routes.append(route)
            }
            if let violation = changed.violations().first { throw violation }
        } catch {
            throw DriftAdoption.Refused(difference, because: error.detail)
        }
        return changed
    }

    private mutating func take(
        _ field: String, from link: ObservedLink, in observed: ObservedState
    ) throws(Violation) {
        guard let parameters = link.parameters else { return }
        switch field {
        case "local": local = parameters.local
        case "remote":
            guard let remote = parameters.remote else {
                throw Violation("/remote", "a tunnel without a remote has no other end.")
            }
            self.remote = remote
        case "underlay": underlay = try Self.underlay(parameters.underlay, in: observed)
        case "ttl": ttl = parameters.ttl
        case "tos": tos = parameters.tos
        case "pmtudisc": pmtudisc = parameters.pmtudisc
        default: fwmark = parameters.fwmark == 0 ? nil : parameters.fwmark
        }
    }

    private static func underlay(_ ifindex: Int32, in observed: ObservedState) throws(Violation) -> InterfaceName? {
        if ifindex == 0 { return nil }
        guard let link = observed.links.first(where: { $0.ifindex == ifindex }) else {
            throw Violation("/underlay", "there is no link \(ifindex).")
        }
        return try name(link.name, at: "/underlay")
    }

    private static func name(_ text: String, at pointer: String) throws(Violation) -> InterfaceName {
        guard let name = try? InterfaceName(text) else {
            throw Violation(pointer, "\(text) can't be a name in a definition.")
        }
        return name
    }
}
