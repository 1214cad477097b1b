internal import HTTPServer
internal import Reconciler
internal import Tunnels

/// Reads that are answered when the tunnel is as the client wants it.
struct TunnelWaits: Sendable {
    let watchers: Watchers
    let directory: Directory
    /// Whether who asked may still read.
    let isAllowed: @Sendable (Principal) -> Bool

    /// - Parameter known: of `If-None-Match`; without conditions a wait ends when the revision is none of these.
    func answer(
        _ request: Request, _ key: TunnelKey, _ wanted: WaitRequest, known: EntityTags?
    ) throws -> Answer {
        let present = directory.view(key)
        // A name that is mistyped isn't waited for.
        if wanted.conditions.isEmpty, present == nil { throw WriteRefusal.notFound }
        let isReached: @Sendable (TunnelView?) -> Bool = { view in
            if !wanted.conditions.isEmpty { return wanted.isReached(view) }
            guard let view, let known else { return view !== present }
            return !known.matchesWeakly(view.tunnel.revision)
        }
        let principal = request.principal as? Principal
        return .deferred { [watchers, isAllowed] responder in
            do throws(Watchers.Full) {
                let id = try watchers.wait(for: key, atMost: wanted.duration, until: isReached) { ending, view in
                    if let principal, !isAllowed(principal) {
                        return responder.fail(Problem(.unauthenticated, "The token was revoked meanwhile."))
                    }
                    Self.answer(responder, ending, view, known: known)
                }
                responder.onDisconnect { watchers.cancel(id) }
            } catch {
                responder.fail(HTTPError.overloaded("Too many wait for tunnels; try again in a second."))
            }
        }
    }

    private static func answer(
        _ responder: Responder, _ ending: Watchers.Ending, _ view: TunnelView?, known: EntityTags?
    ) {
        let header: Response.Header
        switch ending {
        case .stopping: return responder.fail(HTTPError.stopping)
        case .reached: header = Response.Header("Wait-Outcome", "reached")
        case .timedOut: header = Response.Header("Wait-Outcome", "timeout")
        }
        if let view {
            if let known, known.matchesWeakly(view.tunnel.revision) {
                responder.answer(Response(status: 304, headers: [.entityTag(of: view), header]))
            } else {
                responder.answer(Response(view, headers: [header]))
            }
        } else if ending == .reached {
            // Gone, and that is what was waited for.
            responder.answer(Response(status: 204, headers: [header]))
        } else {
            var problem = Problem(WriteRefusal.notFound)
            problem.headers.append(header)
            responder.fail(problem)
        }
    }
}
