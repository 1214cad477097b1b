/// A JSON value (RFC 8259).
///
/// An object's members have no order, and none occurs twice: the reader refuses that.
enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    /// A number without a fraction, however it was written: `1`, `1.0` and `10e-1` are equal.
    case integer(Int64)
    /// Any other number; finite.
    case double(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    /// With its article, as error messages name it.
    var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer: "an integer"
        case .double: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

/// Why bytes aren't JSON.
struct JSONError: Error, Hashable {
    /// Counted in bytes from the text's beginning.
    let offset: Int
    let detail: String
}
