internal import HTTPServer
internal import Reconciler
internal import Tunnels

/// Which tunnels of the list are asked for.
struct PageRequest {
    static let limits = 1...1000
    static let defaultLimit = 100

    var limit = defaultLimit
    /// The last name of the page before.
    var after: InterfaceName?
    /// All must be there.
    var labels: [(key: String, value: String)] = []
    /// One must be it; empty for any.
    var states: Set<TunnelStatus.State> = []

    init(_ request: Request) throws(Problem) {
        let query = try Query(request, known: ["limit", "cursor", "label", "state"])
        if let text = try query.value("limit") { limit = try Self.limit(text, in: Self.limits) }
        if let text = try query.value("cursor") { after = try Self.name(fromCursor: text) }
        for text in query.values("label") { labels.append(try Self.label(text)) }
        for text in query.values("state") { states.insert(try Self.state(text)) }
    }

    func matches(_ view: TunnelView) -> Bool {
        if !states.isEmpty, !states.contains(view.status.state) { return false }
        return labels.allSatisfy { view.tunnel.definition.labels[$0.key] == $0.value }
    }

    static func limit(_ text: String, in limits: ClosedRange<Int> = limits) throws(Problem) -> Int {
        guard let limit = Int(text), limits.contains(limit), String(limit) == text else {
            throw Problem(.invalidParameter, "limit is \(limits.lowerBound) to \(limits.upperBound).")
        }
        return limit
    }

    static func label(_ text: String) throws(Problem) -> (key: String, value: String) {
        let bytes = text.utf8
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon > bytes.startIndex else {
            throw Problem(.invalidParameter, "label is a key and a value, as label=site:a.")
        }
        return (String(text[..<colon]), String(text[bytes.index(after: colon)...]))
    }

    private static func state(_ text: String) throws(Problem) -> TunnelStatus.State {
        guard let state = TunnelStatus.State(rawValue: text) else {
            let known = TunnelStatus.State.allCases.map(\.rawValue).joined(separator: ", ")
            throw Problem(.invalidParameter, "state is one of \(known).")
        }
        return state
    }

    // MARK: Cursors

    static func cursor(after name: InterfaceName) -> String { Base64URL.encode(Array(name.text.utf8)) }

    private static func name(fromCursor text: String) throws(Problem) -> InterfaceName {
        guard let bytes = Base64URL.decode(text), let text = String(validating: bytes, as: UTF8.self),
            let name = try? InterfaceName(text)
        else {
            throw Problem(
                .invalidParameter, "cursor must be a next_cursor as the list gave it; or leave it out.")
        }
        return name
    }
}
