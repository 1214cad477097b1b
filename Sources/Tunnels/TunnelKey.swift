/// Names one tunnel.
public enum TunnelKey: Hashable, Sendable {
    case name(InterfaceName)
    case id(TunnelID)
}
