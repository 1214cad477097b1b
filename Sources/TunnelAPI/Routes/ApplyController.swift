internal import Dispatch
internal import HTTPServer
internal import Reconciler
internal import Tunnels

/// `/v1/apply`: a whole set of tunnels, all or nothing.
struct ApplyController: Sendable {
    private let reconciler: Reconciler
    private let retries: Retries
    /// Bodies are large, so they are read one after another, on no thread of the server's.
    private let queue = DispatchQueue(label: "tunneld.apply")

    private static let maximumBodyBytes = 32 << 20

    init(reconciler: Reconciler, retries: Retries) {
        self.reconciler = reconciler
        self.retries = retries
    }

    var routes: [Route] {
        [Route(.post, "/v1/apply", bodyBytes: Self.maximumBodyBytes, apply)]
    }

    private func apply(_ request: Request) throws -> Answer {
        try retries.once(request) { [reconciler, queue] attempt in
            _ = try Query(request)
            let revisions = try request.setRevisions()
            return .deferred { responder in
                queue.async {
                    do {
                        let body = try ApplyBody(request.jsonOrYAMLBody())
                        let respond = response(to: body, request, isKept: attempt != nil)
                        let apply = Apply(
                            body.set, revisions: revisions, author: request.author, isDryRun: body.isDryRun,
                            confirmation: body.confirmation, receipt: attempt?.receipt(respond))
                        reconciler.apply(apply) { result in
                            // The answer is long too: the writer has other things to do.
                            queue.async { responder.answer(result, attempt, respond) }
                        }
                    } catch {
                        attempt?.end()
                        responder.fail(error)
                    }
                }
            }
        }
    }

    /// - Parameter isKept: whether it is made before the commit: what the tunnels are like isn't known then, and what is
    ///   kept mustn't be as large as they all.
    private func response(
        to body: ApplyBody, _ request: Request, isKept: Bool
    ) -> @Sendable (ApplyOutcome) -> Response {
        let wish = request.preferredReturn
        let preference = isKept && wish == .representation ? nil : wish
        return { [isDryRun = body.isDryRun, directory = reconciler.directory] outcome in
            var writer = JSONWriter(capacity: 256 + outcome.items.count * 160)
            writer.object { writer in
                writer.members(of: outcome, isDryRun: isDryRun, preference) { directory.view(.id($0)) }
            }
            var headers = [Response.Header.entityTag(ofSet: outcome.revision)]
            if let preference { headers.append(.init("Preference-Applied", "return=\(preference.rawValue)")) }
            return Response(json: writer, headers: headers)
        }
    }
}

extension Request {
    /// What `If-Match` asks the set to be at; nil for anything.
    fileprivate func setRevisions() throws(Problem) -> [Int64]? {
        guard headers["If-None-Match"] == nil else {
            throw Problem(.invalidParameter, "Guard the set with If-Match; If-None-Match has no meaning here.")
        }
        switch try entityTags("If-Match") {
        // There always is a set.
        case nil, .any?: return nil
        case let tags?: return tags.strongRevisions
        }
    }
}
