/// What a handler gives back.
public enum Answer: Sendable {
    case response(Response)
    case prepared(PreparedResponse)
    /// The closure is called at once; the connection waits, without a thread, until the responder is answered.
    case deferred(@Sendable (Responder) -> Void)
}

/// One line of the table: a method, a pattern such as `/v1/tunnels/{name}`, and what answers.
public struct Route: Sendable {
    public typealias Handler = @Sendable (Request) throws -> Answer

    public let method: Method
    public let pattern: String
    let handler: Handler

    public init(_ method: Method, _ pattern: String, _ handler: @escaping Handler) {
        self.method = method
        self.pattern = pattern
        self.handler = handler
    }
}

/// Finds the route for a method and a target's decoded segments.
///
/// A literal segment is preferred to a parameter; a parameter takes any segment that isn't empty. HEAD is
/// answered by GET's route. A trailing slash is another path.
public struct Router: Sendable {
    public let routes: [Route]
    private var root = Node()

    /// A later route replaces an earlier one of the same method and pattern.
    public init(_ routes: [Route]) {
        self.routes = routes
        for route in routes {
            let segments = route.pattern.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
            root.insert(route, segments.map(String.init)[...])
        }
    }

    public enum Match: Sendable {
        case route(Route, PathParameters)
        /// The path has routes, but not for this method; what it answers, HEAD and OPTIONS among it.
        case otherMethods([Method])
        case nothing
    }

    public func match(_ method: Method, _ segments: [String]) -> Match {
        var parameters: [String] = []
        guard let node = root.find(segments[...], &parameters) else { return .nothing }
        let wanted: Method = method == .head ? .get : method
        guard let found = node.routes.first(where: { $0.route.method == wanted }) else {
            return .otherMethods(node.allowed)
        }
        let values = zip(found.names, parameters).map { PathParameters.Value(name: $0, value: $1) }
        return .route(found.route, PathParameters(values: values))
    }

    private struct Node: Sendable {
        struct Leaf: Sendable {
            var route: Route
            var names: [String]
        }

        var literals: [(segment: String, node: Node)] = []
        /// None or one; an array because a struct can't hold itself.
        var parameter: [Node] = []
        var routes: [Leaf] = []

        var allowed: [Method] {
            var methods = routes.map(\.route.method)
            if methods.contains(.get) { methods.append(.head) }
            if !methods.contains(.options) { methods.append(.options) }
            return methods.sorted { $0.rawValue < $1.rawValue }
        }

        mutating func insert(_ route: Route, _ segments: ArraySlice<String>, names: [String] = []) {
            guard let first = segments.first else {
                routes.removeAll { $0.route.method == route.method }
                routes.append(Leaf(route: route, names: names))
                return
            }
            let rest = segments.dropFirst()
            if first.hasPrefix("{"), first.hasSuffix("}") {
                if parameter.isEmpty { parameter.append(Node()) }
                parameter[0].insert(route, rest, names: names + [String(first.dropFirst().dropLast())])
            } else if let index = literals.firstIndex(where: { $0.segment == first }) {
                literals[index].node.insert(route, rest, names: names)
            } else {
                var node = Node()
                node.insert(route, rest, names: names)
                literals.append((first, node))
            }
        }

        func find(_ segments: ArraySlice<String>, _ parameters: inout [String]) -> Node? {
            guard let first = segments.first else { return routes.isEmpty ? nil : self }
            let rest = segments.dropFirst()
            for literal in literals where literal.segment == first {
                if let found = literal.node.find(rest, &parameters) { return found }
            }
            guard let next = parameter.first, !first.isEmpty else { return nil }
            parameters.append(first)
            if let found = next.find(rest, &parameters) { return found }
            parameters.removeLast()
            return nil
        }
    }
}
