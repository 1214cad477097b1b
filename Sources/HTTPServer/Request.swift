/// One request, read and checked. A value: it may be kept after the answer.
public struct Request: Sendable {
    /// What doesn't change any more once it is read: shared, so that a request costs little to hand on.
    private final class Head: Sendable {
        let method: Method
        let target: Target
        let headers: RequestHeaders
        let peer: Peer
        let match: Router.Match

        init(method: Method, target: Target, headers: RequestHeaders, peer: Peer, match: Router.Match) {
            self.method = method
            self.target = target
            self.headers = headers
            self.peer = peer
            self.match = match
        }
    }

    private let head: Head
    /// Empty until the whole request has arrived: also while it is being authorized.
    public internal(set) var body: [UInt8] = []
    /// Who asks, if `authorize` found out.
    public var principal: (any AnyObject & Sendable)?

    init(method: Method, target: Target, headers: RequestHeaders, peer: Peer, match: Router.Match) {
        head = Head(method: method, target: target, headers: headers, peer: peer, match: match)
    }

    /// Whether it is this method for this target, as it was sent.
    func isTo(_ method: Method, _ target: [UInt8]) -> Bool {
        head.method == method && head.target.sent == target
    }

    public var method: Method { head.method }
    public var target: Target { head.target }
    public var query: [Target.QueryItem] { head.target.query }
    public var headers: RequestHeaders { head.headers }
    public var peer: Peer { head.peer }
    /// What the route's `{name}` segments matched.
    public var parameters: PathParameters { head.match.parameters }
    /// What the router found for it.
    var match: Router.Match { head.match }
}

/// The values of a route's `{name}` segments.
public struct PathParameters: Sendable, Equatable {
    var names: [String] = []
    /// One for each name.
    var values: [String] = []

    public subscript(name: String) -> String? {
        names.firstIndex(of: name).map { values[$0] }
    }
}
