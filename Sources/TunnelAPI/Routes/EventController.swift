internal import Dispatch
internal import HTTPServer
internal import TunnelStore

/// `/v1/events`: what happened and who did it, as pages, or as a stream of what happens.
struct EventController: Sendable {
    let history: TunnelStore
    let streams: EventStreams
    /// One page is read at a time, and no thread of the server waits for it.
    private let queue = DispatchQueue(label: "history")

    init(history: TunnelStore, streams: EventStreams) {
        self.history = history
        self.streams = streams
    }

    var routes: [Route] { [Route(.get, "/v1/events", events)] }

    private func events(_ request: Request) throws -> Answer {
        if request.accepts("text/event-stream") {
            let wanted = try EventRequest(stream: request)
            let principal = request.principal as? Principal
            return onQueue { try stream(wanted, principal) }
        }
        let wanted = try EventRequest(page: request)
        return onQueue { try page(wanted) }
    }

    private func onQueue(_ answer: @escaping @Sendable () throws -> Response) -> Answer {
        .deferred { [queue] responder in
            queue.async {
                do { responder.answer(try answer()) } catch { responder.fail(error) }
            }
        }
    }

    private func page(_ wanted: EventRequest) throws -> Response {
        try wanted.check(try history.eventRange())
        var query = wanted.query
        // One more shows whether there is another page.
        query.limit += 1
        let found = try history.events(query)
        let page = found.prefix(wanted.limit)
        var writer = JSONWriter(capacity: 64 + page.count * 320)
        writer.object { writer in
            writer.array("items", page) { $0.event($1) }
            writer.member("next_cursor", found.count > page.count ? page.last.map { String($0.id) } : nil)
        }
        return Response(json: writer)
    }

    private func stream(_ wanted: EventRequest, _ principal: Principal?) throws -> Response {
        let kept = try history.eventRange()
        try wanted.check(kept)
        let position = wanted.after ?? kept?.upperBound ?? 0
        let stream = streams.subscribe(wanted.selection, after: position, by: principal)
        let headers = [
            Response.Header("Content-Type", "text/event-stream"),
            // For proxies that would collect the answer first.
            Response.Header("X-Accel-Buffering", "no"),
        ]
        return Response(status: 200, headers: headers, body: .stream(stream))
    }
}

extension Request {
    /// Whether `Accept` names this very type (RFC 9110, section 12.5.1).
    fileprivate func accepts(_ type: String) -> Bool {
        headers.values("Accept").contains { value in
            value.split(separator: ",").contains { range in
                let parts = range.split(separator: ";").map(\.trimmed)
                return parts.first?.lowercased() == type && !parts.dropFirst().contains { Self.isRefusal($0) }
            }
        }
    }

    /// `q=0`.
    private static func isRefusal(_ parameter: Substring) -> Bool {
        let sides = parameter.split(separator: "=").map(\.trimmed)
        return sides.count == 2 && sides[0].lowercased() == "q" && Double(sides[1]) == 0
    }
}
