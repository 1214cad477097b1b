/// One request, read and checked. A value: it may be kept after the answer.
public struct Request: Sendable {
    public let method: Method
    public let target: Target
    public let headers: RequestHeaders
    public let peer: Peer
    /// Empty until the whole request has arrived: also while it is being authorized.
    public internal(set) var body: [UInt8] = []
    /// What the route's `{name}` segments matched.
    public internal(set) var parameters = PathParameters()
    /// Who asks, if `authorize` found out.
    public var principal: (any Sendable)?
}

/// The values of a route's `{name}` segments.
public struct PathParameters: Sendable, Equatable {
    var values: [Value] = []

    struct Value: Sendable, Equatable {
        var name: String
        var value: String
    }

    public subscript(name: String) -> String? { values.first { $0.name == name }?.value }
}
