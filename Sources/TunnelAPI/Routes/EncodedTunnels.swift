internal import HTTPServer
internal import Reconciler
internal import Synchronization
internal import Tunnels

/// Answers to `GET /v1/tunnels/{name}`, kept for as long as the view they were made of is the published one.
final class EncodedTunnels: Sendable {
    private static let capacity = 4096

    /// By name.
    private let kept = Mutex<[String: (view: TunnelView, answer: PreparedResponse)]>([:])

    func answer(for view: TunnelView) -> Answer {
        let name = view.tunnel.name.text
        if let kept = kept.withLock({ $0[name] }), kept.view === view { return .prepared(kept.answer) }
        let response = Response(view)
        guard let prepared = PreparedResponse(response) else { return .response(response) }
        kept.withLock { kept in
            // Those of tunnels that were deleted or renamed go with the rest.
            if kept.count >= Self.capacity { kept.removeAll(keepingCapacity: true) }
            kept[name] = (view, prepared)
        }
        return .prepared(prepared)
    }
}
