internal import Tunnels

/// Reads an object's members one by one, and collects all that is wrong with them instead of stopping at the
/// first fault.
struct ObjectReader {
    typealias Parser<Value> = (JSONValue) throws(FieldError) -> Value

    struct Fault {
        var violation: Violation
        var isShape: Bool
    }

    private(set) var faults: [Fault] = []
    /// Those not read yet.
    private var members: [String: JSONValue]
    private let pointer: String

    /// - Parameter pointer: where the object stands in the body; empty for the body itself.
    init(_ members: [String: JSONValue], at pointer: String = "") {
        self.members = members
        self.pointer = pointer
    }

    /// Reads a member that must be there; nil if it isn't, or is at fault.
    mutating func required<Value>(_ name: String, example: String, _ parse: Parser<Value>) -> Value? {
        guard members[name] != nil else {
            add(.shape("is missing; give it, as \(example)."), at: path(name))
            return nil
        }
        return optional(name, parse)
    }

    /// Reads a member if it is there; nil if it isn't, or is at fault.
    mutating func optional<Value>(_ name: String, _ parse: Parser<Value>) -> Value? {
        guard let value = members.removeValue(forKey: name) else { return nil }
        return read(value, at: { [pointer] in Self.path(name, within: pointer) }, parse)
    }

    /// Reads a member into `target`, which keeps its default if there is none.
    mutating func read<Value>(_ name: String, into target: inout Value, _ parse: Parser<Value>) {
        if let value = optional(name, parse) { target = value }
    }

    /// Reads an array's elements one by one; `parse` is told where each stands.
    ///
    /// - Returns: those that could be read, each with its position.
    mutating func elements<Value>(
        _ name: String, of kind: String, _ parse: (inout ObjectReader, JSONValue, () -> String) -> Value?
    ) -> [(position: Int, value: Value)] {
        let array = optional(name) { (value) throws(FieldError) in
            guard case .array(let elements) = value else {
                throw .shape("give an array of \(kind); this is \(value.typeName).")
            }
            return elements
        }
        // A closure, because where all is well nobody asks.
        let list = { [pointer] in Self.path(name, within: pointer) }
        return (array ?? []).enumerated().compactMap { position, element in
            parse(&self, element, { "\(list())/\(position)" }).map { (position, $0) }
        }
    }

    /// Reads one value that stands at `pointer`.
    mutating func read<Value>(_ value: JSONValue, at pointer: () -> String, _ parse: Parser<Value>) -> Value? {
        do {
            return try parse(value)
        } catch {
            add(error, at: pointer())
            return nil
        }
    }

    mutating func add(_ error: FieldError, at pointer: String) {
        switch error {
        case .shape(let detail): add(Fault(violation: Violation(pointer, detail), isShape: true))
        case .value(let detail): add(Fault(violation: Violation(pointer, detail), isShape: false))
        }
    }

    mutating func add(_ violation: Violation) {
        add(Fault(violation: violation, isShape: false))
    }

    /// Takes over what an object within this one found.
    mutating func add(_ inner: [Fault]) {
        for fault in inner { add(fault) }
    }

    private mutating func add(_ fault: Fault) {
        if faults.count < BodyRefusal.maximumViolations { faults.append(fault) }
    }

    /// Passes over members that have no say, whatever they hold.
    mutating func ignore(_ names: [String]) {
        for name in names { members[name] = nil }
    }

    /// To be called last: what is left is unknown.
    mutating func refuseUnknown(known: [String]) {
        for name in members.keys.sorted() {
            add(.shape("is unknown; known are \(known.joined(separator: ", "))."), at: path(name))
        }
    }

    /// - Throws: everything found.
    func finish() throws(BodyRefusal) {
        guard !faults.isEmpty else { return }
        let violations = faults.map(\.violation)
        if faults.contains(where: \.isShape) { throw .shape(violations) }
        throw .invalid(violations)
    }

    private func path(_ name: String) -> String { Self.path(name, within: pointer) }

    private static func path(_ name: String, within pointer: String) -> String {
        "\(pointer)/\(Violation.escape(name))"
    }
}
