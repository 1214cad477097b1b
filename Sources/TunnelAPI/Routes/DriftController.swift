internal import HTTPServer
internal import Reconciler
internal import TunnelStore
internal import Tunnels

/// `/v1/tunnels/{name}/drift`: what others changed of a tunnel's link.
struct DriftController: Sendable {
    let reconciler: Reconciler
    let drifts: API.Drifts

    var routes: [Route] { [Route(.get, "/v1/tunnels/{name}/drift", list)] }

    private func list(_ request: Request) throws -> Answer {
        let query = try Query(request, known: ["limit", "cursor", "open"])
        let limit = try query.value("limit").map { try PageRequest.limit($0) } ?? PageRequest.defaultLimit
        let cursor = try query.value("cursor").map { try Self.id(fromCursor: $0) }
        let isOpen = try query.flag("open")
        let (tunnel, isKnown) = try tunnel(request)
        // One more than asked for tells whether there is another page.
        let found = try drifts(tunnel, cursor, limit + 1, isOpen)
        guard isKnown || !found.isEmpty else { throw WriteRefusal.notFound }
        let page = found.prefix(limit)
        var writer = JSONWriter(capacity: 64 + page.count * 256)
        writer.object { writer in
            writer.array("items", page) { $0.drift($1) }
            let last = found.count > limit ? page.last?.id : nil
            writer.member("next_cursor", last.map { String($0) })
        }
        return .response(Response(json: writer))
    }

    /// The rows of a tunnel outlive it, under its id.
    private func tunnel(_ request: Request) throws(WriteRefusal) -> (TunnelID, isKnown: Bool) {
        guard let key = request.tunnelKey else { throw .notFound }
        if let view = reconciler.directory.view(key) { return (view.tunnel.id, true) }
        guard case .id(let id) = key else { throw .notFound }
        return (id, false)
    }

    private static func id(fromCursor text: String) throws(Problem) -> Int64 {
        guard let id = Int64(text), id > 0, String(id) == text else {
            throw Problem(
                .invalidParameter, "cursor must be a next_cursor as the list gave it; or leave it out.")
        }
        return id
    }
}

extension JSONWriter {
    fileprivate mutating func drift(_ record: DriftRecord) {
        object { writer in
            writer.member("id", record.id)
            writer.member("field", record.field)
            writer.member("desired", record.desired)
            writer.member("observed", record.observed)
            writer.member("found_at", record.foundAt.description)
            writer.member("pid", record.author?.pid)
            writer.member("program", record.author?.program)
            writer.member("outcome", record.end?.outcome.rawValue)
            writer.member("closed_at", record.end?.at.description)
        }
    }
}
