internal import HTTPServer
internal import Reconciler
internal import TunnelStore
internal import Tunnels

/// `/v1/checkpoints`: changes that wait to be confirmed, and what became of the earlier ones.
struct CheckpointController: Sendable {
    private static let limits = 1...(Checkpoints.endedKept + 1)
    private static let defaultLimit = 50

    private let reconciler: Reconciler
    private let retries: Retries

    init(reconciler: Reconciler, retries: Retries) {
        self.reconciler = reconciler
        self.retries = retries
    }

    var routes: [Route] {
        [
            Route(.get, "/v1/checkpoints", list),
            Route(.get, "/v1/checkpoints/{id}", read),
            Route(.post, "/v1/checkpoints/{id}/confirm") { try end($0, .confirmed) },
            Route(.post, "/v1/checkpoints/{id}/revert") { try end($0, .reverted) },
        ]
    }

    private func list(_ request: Request) throws -> Answer {
        let query = try Query(request, known: ["limit"])
        let limit = try query.value("limit").map { try PageRequest.limit($0, in: Self.limits) } ?? Self.defaultLimit
        var writer = JSONWriter()
        writer.object { writer in
            writer.array("items", reconciler.checkpoints.latest(limit)) { $0.checkpoint($1) }
        }
        return .response(Response(json: writer))
    }

    private func read(_ request: Request) throws -> Answer {
        _ = try Query(request)
        guard let checkpoint = reconciler.checkpoints[try id(request)] else { throw CheckpointRefusal.notFound }
        return .response(Response(checkpoint))
    }

    private func end(_ request: Request, _ outcome: Checkpoint.Outcome) throws -> Answer {
        try retries.once(request) { [reconciler] attempt in
            _ = try Query(request)
            guard request.body.isEmpty else {
                throw BodyRefusal.shape([Violation("", "leave the body out; the path says it all.")])
            }
            let (id, author) = (try id(request), request.author)
            let respond: @Sendable (Checkpoint) -> Response = { Response($0) }
            return .deferred { responder in
                reconciler.end(id, outcome, author: author, receipt: attempt?.receipt(respond)) {
                    responder.answer($0, attempt, respond)
                }
            }
        }
    }

    private func id(_ request: Request) throws(CheckpointRefusal) -> CheckpointID {
        guard let id = request.parameters["id"].flatMap({ CheckpointID($0) }) else { throw .notFound }
        return id
    }
}

extension Response {
    fileprivate init(_ checkpoint: Checkpoint) {
        var writer = JSONWriter(capacity: 512)
        writer.checkpoint(checkpoint)
        self.init(json: writer)
    }
}
