internal import Tunnels

/// Readers of single values. What they throw says what to give instead.
enum Field {
    static func boolean(_ value: JSONValue) throws(FieldError) -> Bool {
        guard case .bool(let value) = value else {
            throw .shape("give true or false; this is \(value.typeName).")
        }
        return value
    }

    static func text(_ value: JSONValue) throws(FieldError) -> String {
        guard case .string(let text) = value else {
            throw .shape("give a string, in quotes; this is \(value.typeName).")
        }
        return text
    }

    /// Reads a whole number into whatever integer type is wanted. `range` is for the message.
    static func integer<Integer: FixedWidthInteger>(
        _ value: JSONValue, range: @autoclosure () -> String
    ) throws(FieldError) -> Integer {
        switch value {
        case .integer(let number):
            guard let integer = Integer(exactly: number) else { throw .value("give \(range()).") }
            return integer
        case .double(let number):
            // Whole, but too large for any integer here.
            if number.rounded(.towardZero) == number { throw .value("give \(range()).") }
            throw .shape("give a whole number, \(range()).")
        case .string(let text) where Int64(text) != nil:
            throw .shape("give the number \(text) without quotes.")
        default:
            throw .shape("give \(range()); this is \(value.typeName).")
        }
    }

    /// Lets `null` stand for nothing.
    static func orNull<Value>(
        _ value: JSONValue, _ parse: (JSONValue) throws(FieldError) -> Value
    ) throws(FieldError) -> Value? {
        value == .null ? nil : try parse(value)
    }

    static func kind(_ value: JSONValue) throws(FieldError) -> TunnelKind {
        let text = try text(value)
        guard let kind = TunnelKind(rawValue: text) else {
            let known = TunnelKind.allCases.map(\.rawValue).joined(separator: ", ")
            throw .value("\(quoted(text)) isn't a kind of tunnel here; give \(known).")
        }
        return kind
    }

    static func driftPolicy(_ value: JSONValue) throws(FieldError) -> DriftPolicy {
        let text = try text(value)
        guard let policy = DriftPolicy(rawValue: text) else {
            let known = DriftPolicy.allCases.map(\.rawValue).joined(separator: ", ")
            throw .value("\(quoted(text)) isn't a drift policy; give one of \(known).")
        }
        return policy
    }

    /// `"inherit"` or a number.
    static func header(_ value: JSONValue, range: String) throws(FieldError) -> HeaderField {
        switch value {
        case .string("inherit"): return .inherit
        case .string(let text) where Int64(text) != nil:
            throw .value("give the number \(text) without quotes, or \"inherit\".")
        case .string: throw .value("give \"inherit\" or \(range).")
        default: return .fixed(try integer(value, range: "\"inherit\" or \(range)"))
        }
    }

    static func name(_ value: JSONValue) throws(FieldError) -> InterfaceName {
        let text = try text(value)
        do {
            return try InterfaceName(text)
        } catch {
            throw .value(explanation(of: error, in: text))
        }
    }

    static func explanation(of problem: InterfaceName.Problem, in text: String) -> String {
        switch problem {
        case .empty: return "is empty; a link's name has 1 to 15 bytes."
        case .tooLong:
            return
                "\(quoted(text)) has \(text.utf8.count) bytes; the kernel takes at most 15 for a link's name."
        case .badCharacter:
            return "\(quoted(text)) can't name a link: give ASCII letters, digits, '_', '.' and '-', and "
                + "begin with a letter, a digit or '_'."
        case .reserved: return "\(text) is a name that the kernel keeps for itself; choose another."
        }
    }

    /// A text from a client as an answer may repeat it: in quotes, and not at any length.
    static func quoted(_ text: String) -> String {
        text.count <= 64 ? "\"\(text)\"" : "\"\(text.prefix(63))…\""
    }
}
