internal import HTTPServer

/// A request's query parameters, each of them known.
struct Query {
    private let items: [Target.QueryItem]

    /// - Throws: a problem for a parameter that isn't among `known`.
    init(_ request: Request, known: [String] = []) throws(Problem) {
        items = request.query
        guard let unknown = items.first(where: { !known.contains($0.name) }) else { return }
        let list = known.isEmpty ? "none" : known.joined(separator: ", ")
        throw Problem(
            .invalidParameter,
            "The query parameter \(Field.quoted(unknown.name)) is unknown here; known are: \(list).")
    }

    /// All values of one parameter.
    func values(_ name: String) -> [String] {
        items.filter { $0.name == name }.map(\.value)
    }

    /// The value of a parameter that may be given once.
    func value(_ name: String) throws(Problem) -> String? {
        let values = values(name)
        guard values.count <= 1 else { throw Problem(.invalidParameter, "Give \(name) once.") }
        return values.first
    }

    func flag(_ name: String) throws(Problem) -> Bool {
        switch try value(name) {
        case nil, "false": return false
        case "true": return true
        default: throw Problem(.invalidParameter, "\(name) is true or false.")
        }
    }
}
