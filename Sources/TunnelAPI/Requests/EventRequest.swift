internal import HTTPServer
internal import TunnelStore
internal import Tunnels

/// Which events are asked for, and from where on.
struct EventRequest {
    private static let selecting = ["after", "type", "label", "tunnel"]

    var selection = EventSelection()
    /// The last event that the client has; 0 for none, which gives all that are kept. nil where it doesn't say.
    var after: Int64?
    /// Of a page.
    var limit = PageRequest.defaultLimit
    var newestFirst = false
    /// The last event of the page before.
    var cursor: Int64?

    /// A page.
    init(page request: Request) throws(Problem) {
        let query = try Query(request, known: Self.selecting + ["limit", "order", "cursor"])
        try self.init(query)
        if let text = try query.value("limit") { limit = try PageRequest.limit(text) }
        if let text = try query.value("cursor") { cursor = try Self.id(text, "cursor") }
        switch try query.value("order") {
        case nil, "asc": break
        case "desc": newestFirst = true
        default: throw Problem(.invalidParameter, "order is asc, oldest first, or desc.")
        }
    }

    /// A stream. `Last-Event-ID` counts for more than `after`, which stays the same when a browser comes again.
    init(stream request: Request) throws(Problem) {
        try self.init(try Query(request, known: Self.selecting))
        let values = request.headers.values("Last-Event-ID").filter { !$0.isEmpty }
        guard values.count <= 1 else { throw Problem(.invalidParameter, "Give Last-Event-ID once.") }
        if let text = values.first { after = try Self.id(text, "Last-Event-ID") }
    }

    private init(_ query: Query) throws(Problem) {
        if let text = try query.value("after") { after = try Self.id(text, "after") }
        for text in query.values("type") { selection.kinds.insert(try Self.kind(text)) }
        for text in query.values("label") { selection.labels.append(try PageRequest.label(text)) }
        guard selection.labels.count <= DefinitionLimits.labels else {
            throw Problem(.invalidParameter, "No tunnel has more than \(DefinitionLimits.labels) labels.")
        }
        if let text = try query.value("tunnel") {
            guard let key = TunnelKey(text) else {
                throw Problem(.invalidParameter, "tunnel is a name or an id.")
            }
            selection.tunnel = key
        }
    }

    /// For the database.
    var query: EventQuery {
        var query = EventQuery(limit: limit)
        query.selection = selection
        query.newestFirst = newestFirst
        query.after = after ?? 0
        if let cursor, newestFirst { query.before = cursor }
        if let cursor, !newestFirst { query.after = max(query.after, cursor) }
        return query
    }

    /// Refuses to go on from an event when what follows it isn't all there.
    ///
    /// - Parameter kept: the ids that there are.
    func check(_ kept: ClosedRange<Int64>?) throws(Problem) {
        for id in [after, newestFirst ? nil : cursor] {
            guard let id, id > 0 else { continue }
            if id > kept?.upperBound ?? 0 { throw Problem(eventNotThereYet: id, latest: kept?.upperBound) }
            if let kept, id + 1 < kept.lowerBound { throw Problem(eventGone: id, oldest: kept.lowerBound) }
        }
    }

    private static func id(_ text: String, _ name: String) throws(Problem) -> Int64 {
        guard let id = Int64(text), id >= 0, String(id) == text else {
            throw Problem(.invalidParameter, "\(name) is the id of an event, as 1024, or 0.")
        }
        return id
    }

    private static func kind(_ text: String) throws(Problem) -> Event.Kind {
        guard let kind = Event.Kind(rawValue: text) else {
            let known = Event.Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw Problem(.invalidParameter, "type is one of \(known).")
        }
        return kind
    }
}

extension Problem {
    private static let howToStartAnew = """
        Read what is now with GET /v1/tunnels, and go on with new events: without after and Last-Event-ID; after=0 \
        gives all that are kept.
        """

    fileprivate init(eventGone id: Int64, oldest: Int64) {
        self.init(
            .eventsGone,
            "Events between \(id) and \(oldest), the oldest that is kept, are gone. \(Self.howToStartAnew)")
        oldestEvent = oldest
    }

    fileprivate init(eventNotThereYet id: Int64, latest: Int64?) {
        let found = latest.map { "the latest is \($0)" } ?? "there are none yet"
        self.init(
            .eventsGone,
            "There is no event \(id), \(found): was the database put back from a backup? \(Self.howToStartAnew)")
    }
}
