internal import Tunnels

/// Why a body isn't taken.
enum BodyRefusal: Error {
    case notJSON(JSONError)
    case notYAML(YAMLError)
    /// Members are missing, unknown or of another JSON type; everything found, values that can't be among it.
    case shape([Violation])
    /// The shape is right, and values can't be.
    case invalid([Violation])

    /// More wouldn't help anybody, and a body can hold many thousand.
    static let maximumViolations = 100

    var violations: [Violation] {
        switch self {
        case .notJSON(let error): [Violation("", error.detail)]
        case .notYAML(let error): [Violation("", error.detail)]
        case .shape(let violations), .invalid(let violations): violations
        }
    }
}

/// Why one member isn't taken.
enum FieldError: Error {
    /// Another JSON type belongs here.
    case shape(String)
    /// The type is right, the value can't be.
    case value(String)
}
