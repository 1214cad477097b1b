public import Tunnels

/// Which events somebody wants to see.
public struct EventSelection: Sendable {
    /// One of these; empty for all.
    public var kinds: Set<Event.Kind> = []
    /// All must be there, as they were at the time.
    public var labels: [(key: String, value: String)] = []
    /// By the name that it had at the time, or by its id.
    public var tunnel: TunnelKey?

    public init() {}

    public func matches(_ event: Event) -> Bool {
        if !kinds.isEmpty, !kinds.contains(event.kind) { return false }
        if let tunnel {
            guard case .tunnel(let id, let name, _) = event.subject else { return false }
            switch tunnel {
            case .name(let wanted): if wanted != name { return false }
            case .id(let wanted): if wanted != id { return false }
            }
        }
        return labels.allSatisfy { event.labels[$0.key] == $0.value }
    }
}
