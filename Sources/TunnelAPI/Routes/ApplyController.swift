internal import Dispatch
internal import HTTPServer
internal import Reconciler
internal import Tunnels

/// `/v1/apply`: a whole set of tunnels, all or nothing.
struct ApplyController: Sendable {
    private let reconciler: Reconciler
    /// Bodies are large, so they are read one after another, on no thread of the server's.
    private let queue = DispatchQueue(label: "tunneld.apply")

    private static let maximumBodyBytes = 32 << 20

    init(reconciler: Reconciler) {
        self.reconciler = reconciler
    }

    var routes: [Route] {
        [Route(.post, "/v1/apply", bodyBytes: Self.maximumBodyBytes, apply)]
    }

    private func apply(_ request: Request) throws -> Answer {
        _ = try Query(request)
        let revisions = try request.setRevisions()
        return .deferred { [reconciler, queue] responder in
            queue.async {
                do {
                    let body = try ApplyBody(request.jsonOrYAMLBody())
                    let apply = Apply(
                        body.set, revisions: revisions, author: request.author, isDryRun: body.isDryRun,
                        confirmation: body.confirmation)
                    reconciler.apply(apply) { result in
                        // The answer is long too: the writer has other things to do.
                        queue.async { responder.answer(result, to: apply, request, reconciler) }
                    }
                } catch {
                    responder.fail(error)
                }
            }
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

extension Responder {
    fileprivate func answer(
        _ result: Result<ApplyOutcome, WriteRefusal>, to apply: Apply, _ request: Request, _ reconciler: Reconciler
    ) {
        switch result {
        case .failure(let refusal): fail(refusal)
        case .success(let outcome):
            let preference = request.preferredReturn
            var writer = JSONWriter(capacity: 256 + outcome.items.count * 160)
            writer.object { writer in
                writer.members(of: outcome, isDryRun: apply.isDryRun, preference) { id in
                    reconciler.directory.view(.id(id))
                }
            }
            var headers = [Response.Header.entityTag(ofSet: outcome.revision)]
            if let preference { headers.append(.init("Preference-Applied", "return=\(preference.rawValue)")) }
            self.answer(Response(json: writer, headers: headers))
        }
    }
}
