internal import HTTPServer
internal import Reconciler
internal import Tunnels

/// `/v1/tunnels`: what is stored, and changes to it.
struct TunnelController: Sendable {
    private let reconciler: Reconciler
    private let waits: TunnelWaits
    private let retries: Retries
    private let encoded = EncodedTunnels()

    init(reconciler: Reconciler, waits: TunnelWaits, retries: Retries) {
        self.reconciler = reconciler
        self.waits = waits
        self.retries = retries
    }

    var routes: [Route] {
        [
            Route(.get, "/v1/tunnels", list),
            Route(.post, "/v1/tunnels", create),
            Route(.get, "/v1/tunnels/{name}", read),
            Route(.put, "/v1/tunnels/{name}", put),
            Route(.patch, "/v1/tunnels/{name}", patch),
            Route(.delete, "/v1/tunnels/{name}", delete),
            Route(.post, "/v1/tunnels/{name}/unmanage", unmanage),
        ]
    }

    // MARK: Reading

    private func list(_ request: Request) throws -> Answer {
        let wanted = try PageRequest(request)
        // Before the page: that may be newer than the tag says, never older.
        let tag = Response.Header.entityTag(ofSet: reconciler.directory.revision)
        let page = reconciler.directory.page(after: wanted.after, limit: wanted.limit, where: wanted.matches)
        var writer = JSONWriter(capacity: 64 + page.views.count * 640)
        writer.object { writer in
            writer.array("items", page.views) { $0.tunnel($1) }
            let last = page.hasMore ? page.views.last : nil
            writer.member("next_cursor", last.map { PageRequest.cursor(after: $0.tunnel.name) })
        }
        return .response(Response(json: writer, headers: [tag]))
    }

    private func read(_ request: Request) throws -> Answer {
        let tags = try request.entityTags("If-None-Match")
        if !request.query.isEmpty, let wanted = try WaitRequest(Query(request, known: WaitRequest.parameters)) {
            guard let key = request.tunnelKey else { throw WriteRefusal.notFound }
            return try waits.answer(request, key, wanted, known: tags)
        }
        let view = try view(request)
        if let tags, tags.matchesWeakly(view.tunnel.revision) {
            return .response(Response(status: 304, headers: [.entityTag(of: view)]))
        }
        return encoded.answer(for: view)
    }

    private func view(_ request: Request) throws(WriteRefusal) -> TunnelView {
        guard let key = request.tunnelKey, let view = reconciler.directory.view(key) else { throw .notFound }
        return view
    }

    // MARK: Writing

    private func create(_ request: Request) throws -> Answer {
        try retries.once(request) { attempt in
            _ = try Query(request)
            let body = try TunnelBody(request.jsonBody(types: Request.json))
            guard body.revision == nil else {
                let violation = Violation("/revision", "leave it out: a tunnel that isn't made yet has none.")
                throw BodyRefusal.shape([violation])
            }
            return write(.create(body.definition), nil, request, attempt)
        }
    }

    private func put(_ request: Request) throws -> Answer {
        _ = try Query(request)
        guard let key = request.tunnelKey else { throw BodyRefusal.invalid([Self.badPath(request)]) }
        let json = try request.jsonBody(types: Request.json)
        switch key {
        case .name(let name):
            let body = try TunnelBody(json, name: name)
            guard body.definition.name == name else {
                let detail = "the path says \(name); leave it out, or rename with PATCH."
                throw BodyRefusal.invalid([Violation("/name", detail)])
            }
            return write(.put(body.definition), try request.precondition(revision: body.revision), request)
        case .id:
            // An id is never chosen by a client, so there is nothing to create.
            let body = try TunnelBody(json, name: try view(request).tunnel.name)
            let definition = body.definition
            let change = Write.Change.modify(key) { (_) throws(WriteRefusal) in definition }
            return write(change, try request.precondition(revision: body.revision), request)
        }
    }

    private func patch(_ request: Request) throws -> Answer {
        _ = try Query(request)
        let patch = try TunnelPatch(request.jsonBody(types: Request.mergePatch))
        guard let key = request.tunnelKey else { throw WriteRefusal.notFound }
        // Judged now for an answer that tells wrong shapes from wrong values; what counts is the writer's turn.
        _ = try patch.applied(to: try view(request).tunnel.definition)
        let change = Write.Change.modify(key) { (definition) throws(WriteRefusal) in
            do throws(BodyRefusal) {
                return try patch.applied(to: definition)
            } catch {
                throw .invalid(error.violations)
            }
        }
        return write(change, try request.precondition(revision: patch.revision), request)
    }

    private func delete(_ request: Request) throws -> Answer {
        _ = try Query(request)
        guard let key = request.tunnelKey else { throw WriteRefusal.notFound }
        return write(.delete(key), try request.precondition(), request)
    }

    /// A body has nothing to say.
    private func unmanage(_ request: Request) throws -> Answer {
        try retries.once(request) { attempt in
            _ = try Query(request)
            guard let key = request.tunnelKey else { throw WriteRefusal.notFound }
            let respond: @Sendable (WriteOutcome) -> Response = { Response($0, isAsynchronous: false) }
            let write = Write(
                .unmanage(key), precondition: try request.precondition(), author: request.author,
                receipt: attempt?.receipt(respond))
            return answer(to: write, attempt, respond)
        }
    }

    private func write(
        _ change: Write.Change, _ precondition: Write.Precondition?, _ request: Request, _ attempt: Attempt? = nil
    ) -> Answer {
        let isAsynchronous = request.prefersAsynchronousAnswer
        let respond: @Sendable (WriteOutcome) -> Response = { Response($0, isAsynchronous: isAsynchronous) }
        let write = Write(
            change, precondition: precondition, author: request.author, isAsynchronous: isAsynchronous,
            receipt: attempt?.receipt(respond))
        return answer(to: write, attempt, respond)
    }

    private func answer(
        to write: Write, _ attempt: Attempt?, _ respond: @escaping @Sendable (WriteOutcome) -> Response
    ) -> Answer {
        .deferred { [reconciler] responder in
            reconciler.submit(write, mayBlock: responder.mayBlock) { responder.answer($0, attempt, respond) }
        }
    }

    private static func badPath(_ request: Request) -> Violation {
        let text = request.parameters["name"] ?? ""
        do {
            _ = try InterfaceName(text)
            return Violation("/name", "\(Field.quoted(text)) can't be a name.")
        } catch {
            return Violation("/name", "in the path: \(Field.explanation(of: error, in: text))")
        }
    }
}

extension Request {
    /// The tunnel that the path names; nil where no tunnel can have such a name or id.
    var tunnelKey: TunnelKey? {
        parameters["name"].flatMap { TunnelKey($0) }
    }

    /// For the audit.
    var author: String { (principal as? Principal)?.author ?? "unknown" }
}

extension TunnelKey {
    init?(_ text: String) {
        // No name is as long as an id.
        if let name = try? InterfaceName(text) {
            self = .name(name)
        } else {
            guard let id = TunnelID(text) else { return nil }
            self = .id(id)
        }
    }
}

extension Response {
    init(json writer: JSONWriter, status: Int = 200, headers: [Header] = []) {
        self.init(status: status, contentType: "application/json", body: writer.bytes, headers: headers)
    }

    init(_ view: TunnelView, status: Int = 200, headers: [Header] = []) {
        var writer = JSONWriter(capacity: 1024)
        writer.tunnel(view)
        self.init(json: writer, status: status, headers: [.entityTag(of: view)] + headers)
    }

    /// What is answered to a write that was done, or that is only stored as yet.
    init(_ outcome: WriteOutcome, isAsynchronous: Bool) {
        let headers = isAsynchronous ? [Header("Preference-Applied", "respond-async")] : []
        switch outcome {
        case .created(let view):
            let location = Header("Location", "/v1/tunnels/\(view.tunnel.name)")
            self.init(view, status: isAsynchronous ? 202 : 201, headers: [location] + headers)
        case .changed(let view): self.init(view, status: isAsynchronous ? 202 : 200, headers: headers)
        case .unchanged(let view): self.init(view)
        case .deleted: self.init(status: isAsynchronous ? 202 : 204, headers: headers)
        }
    }
}

extension Response.Header {
    /// Strong, and the same for as long as the definition is.
    static func entityTag(of view: TunnelView) -> Self {
        Self("ETag", "\"\(view.tunnel.revision)\"")
    }

    /// Of the set of all tunnels.
    static func entityTag(ofSet revision: Int64) -> Self {
        Self("ETag", "\"\(revision)\"")
    }
}
