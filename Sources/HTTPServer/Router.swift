/// What a handler gives back.
public enum Answer: Sendable {
    case response(Response)
    case prepared(PreparedResponse)
    /// The closure is called at once; the connection waits, without a thread, until the responder is answered.
    case deferred(@Sendable (Responder) -> Void)
}

/// One line of the table: a method, a pattern such as `/v1/tunnels/{name}`, and what answers.
public final class Route: Sendable {
    public typealias Handler = @Sendable (Request) throws -> Answer

    public let method: Method
    public let pattern: String
    /// For `Server.Authorize`: that this is answered to everybody.
    public let isOpen: Bool
    /// Of the body, in place of `Limits.bodyBytes`; nil for that.
    let bodyBytes: Int?
    let handler: Handler

    public init(
        _ method: Method, _ pattern: String, isOpen: Bool = false, bodyBytes: Int? = nil,
        _ handler: @escaping Handler
    ) {
        self.method = method
        self.pattern = pattern
        self.isOpen = isOpen
        self.bodyBytes = bodyBytes
        self.handler = handler
    }
}

/// Finds the route for a method and a target's decoded segments.
///
/// A literal segment is preferred to a parameter; a parameter takes any segment that isn't empty. HEAD is
/// answered by GET's route. A trailing slash is another path.
public struct Router: Sendable {
    public let routes: [Route]
    /// A tree; the first is its root, and nodes name each other by index.
    private var nodes = [Node()]

    private struct Node: Sendable {
        var literals: [(segment: String, node: Int)] = []
        var parameter: Int?
        var leaves: [Leaf] = []
    }

    private struct Leaf: Sendable {
        var route: Route
        var names: [String]
    }

    /// A later route replaces an earlier one of the same method and pattern.
    public init(_ routes: [Route]) {
        self.routes = routes
        for route in routes { insert(route) }
    }

    public enum Match: Sendable {
        case route(Route, PathParameters)
        /// The path has routes, but not for this method; what it answers, HEAD and OPTIONS among it.
        case otherMethods([Method])
        case nothing

        var parameters: PathParameters {
            if case .route(_, let parameters) = self { parameters } else { PathParameters() }
        }
    }

    public func match(_ method: Method, _ segments: [String]) -> Match {
        var values: [String] = []
        guard let node = find(segments, at: 0, from: 0, &values) else { return .nothing }
        let wanted: Method = method == .head ? .get : method
        for leaf in nodes[node].leaves where leaf.route.method == wanted {
            return .route(leaf.route, PathParameters(names: leaf.names, values: values))
        }
        return .otherMethods(allowed(at: node))
    }

    private func allowed(at node: Int) -> [Method] {
        var methods = nodes[node].leaves.map(\.route.method)
        if methods.contains(.get) { methods.append(.head) }
        if !methods.contains(.options) { methods.append(.options) }
        return methods.sorted { $0.rawValue < $1.rawValue }
    }

    /// Follows the segments from a position on, beginning at a node.
    private func find(
        _ segments: [String], at position: Int, from node: Int, _ values: inout [String]
    ) -> Int? {
        guard position < segments.count else { return nodes[node].leaves.isEmpty ? nil : node }
        let segment = segments[position]
        for literal in nodes[node].literals where literal.segment == segment {
            if let found = find(segments, at: position + 1, from: literal.node, &values) { return found }
        }
        guard let next = nodes[node].parameter, !segment.isEmpty else { return nil }
        values.append(segment)
        if let found = find(segments, at: position + 1, from: next, &values) { return found }
        values.removeLast()
        return nil
    }

    private mutating func insert(_ route: Route) {
        var node = 0
        var names: [String] = []
        for segment in route.pattern.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            if segment.hasPrefix("{"), segment.hasSuffix("}") {
                names.append(String(segment.dropFirst().dropLast()))
                node = nodes[node].parameter ?? addNode { $0[node].parameter = $1 }
            } else if let known = nodes[node].literals.first(where: { $0.segment == segment }) {
                node = known.node
            } else {
                node = addNode { $0[node].literals.append((String(segment), $1)) }
            }
        }
        nodes[node].leaves.removeAll { $0.route.method == route.method }
        nodes[node].leaves.append(Leaf(route: route, names: names))
    }

    private mutating func addNode(_ link: (inout [Node], Int) -> Void) -> Int {
        nodes.append(Node())
        link(&nodes, nodes.count - 1)
        return nodes.count - 1
    }
}
