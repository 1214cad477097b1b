public import Tunnels

/// A tunnel and what became of it, as published to readers. A newer state is a new view, so what was made of
/// one (its JSON) stays right for as long as the view is the published one.
public final class TunnelView: Sendable {
    public let tunnel: Tunnel
    public let status: TunnelStatus

    public init(tunnel: Tunnel, status: TunnelStatus) {
        self.tunnel = tunnel
        self.status = status
    }
}
