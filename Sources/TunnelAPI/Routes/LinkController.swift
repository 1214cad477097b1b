internal import HTTPServer
internal import Reconciler
internal import Tunnels

/// `/v1/links`: the kernel's links, and how one becomes a tunnel.
struct LinkController: Sendable {
    private let reconciler: Reconciler
    private let retries: Retries
    private let all: RecentAnswer
    private let managed: RecentAnswer
    private let unmanaged: RecentAnswer

    init(_ sources: API.Sources, retries: Retries) {
        reconciler = sources.reconciler
        self.retries = retries
        func list(_ isListed: @escaping @Sendable (ObservedLink) -> Bool) -> RecentAnswer {
            RecentAnswer(timing: sources.timing) { () throws(TunnelProblem) in
                try sources.links().filter { isListed($0.link) }
            } _: {
                $0.link($1)
            }
        }
        all = list { _ in true }
        managed = list { $0.owner != nil }
        unmanaged = list { $0.owner == nil }
    }

    var routes: [Route] {
        [
            Route(.get, "/v1/links", list),
            Route(.post, "/v1/links/{ifname}/adopt", adopt),
        ]
    }

    private func list(_ request: Request) throws -> Answer {
        switch try Query(request, known: ["managed"]).value("managed") {
        case nil: return try all.answer()
        case "true": return try managed.answer()
        case "false": return try unmanaged.answer()
        default: throw Problem(.invalidParameter, "managed is true or false.")
        }
    }

    private func adopt(_ request: Request) throws -> Answer {
        try retries.once(request) { [reconciler] attempt in
            _ = try Query(request)
            var wish = Write.Adopting(link: request.parameters["ifname"] ?? "")
            if !request.body.isEmpty { try AdoptionBody.read(try request.jsonBody(types: Request.json), into: &wish) }
            let respond: @Sendable (WriteOutcome) -> Response = { Response($0, isAsynchronous: false) }
            let write = Write(.adopt(wish), author: request.author, receipt: attempt?.receipt(respond))
            return .deferred { responder in
                reconciler.submit(write, mayBlock: responder.mayBlock) { responder.answer($0, attempt, respond) }
            }
        }
    }
}
