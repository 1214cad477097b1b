internal import Tunnels

/// What a client sends to make a set of tunnels true.
struct ApplyBody {
    var set: TunnelSet
    var isDryRun = false

    static let fields = ["tunnels", "prune", "scope", "dry_run"]
    /// As many as a host holds.
    static let maximumTunnels = 20_000

    /// - Parameter value: an object, or a plain list of tunnels.
    init(_ value: JSONValue) throws(BodyRefusal) {
        var members: [String: JSONValue]
        switch value {
        case .array: members = ["tunnels": value]
        default: members = try TunnelBody.members(of: value)
        }
        let tunnels = members.removeValue(forKey: "tunnels")
        var object = ObjectReader(members)
        var isPruning = false
        object.read("prune", into: &isPruning, Field.boolean)
        object.read("dry_run", into: &isDryRun, Field.boolean)
        let scope = Self.scope(from: &object)
        object.refuseUnknown(known: Self.fields)
        let items = Self.items(from: tunnels, &object)
        let definitions = items.map { $0?.definition }
        let room = BodyRefusal.maximumViolations - object.faults.count
        for violation in TunnelSet.violations(of: definitions, scope: scope, limit: max(room, 0)) {
            object.add(violation)
        }
        try object.finish()
        set = TunnelSet(items.compactMap { $0 }, scope: scope, isPruning: isPruning)
    }

    /// One for each element; nil for those that couldn't be read.
    private static func items(from value: JSONValue?, _ object: inout ObjectReader) -> [TunnelSet.Item?] {
        guard let value else {
            object.add(.shape("is missing; give an array of tunnels."), at: "/tunnels")
            return []
        }
        guard case .array(let elements) = value else {
            object.add(.shape("give an array of tunnels; this is \(value.typeName)."), at: "/tunnels")
            return []
        }
        guard elements.count <= maximumTunnels else {
            object.add(.value("give at most \(maximumTunnels) tunnels."), at: "/tunnels")
            return []
        }
        var items: [TunnelSet.Item?] = []
        items.reserveCapacity(elements.count)
        for (position, element) in elements.enumerated() {
            do {
                let body = try TunnelBody(element)
                items.append(TunnelSet.Item(body.definition, revision: body.revision))
            } catch {
                object.add(error, within: "/tunnels/\(position)")
                items.append(nil)
            }
        }
        return items
    }

    private static func scope(from object: inout ObjectReader) -> TunnelSet.Scope? {
        let members = object.optional("scope") { (value) throws(FieldError) -> [String: JSONValue]? in
            switch value {
            case .null: return nil
            case .object(let members): return members
            default: throw .shape("give an object, as {\"label\": \"site:a\"}; this is \(value.typeName).")
            }
        }
        guard case .some(.some(let members)) = members else { return nil }
        var scope = ObjectReader(members, at: "/scope")
        let label = scope.required("label", example: "\"site:a\"") { (value) throws(FieldError) in
            let text = try Field.text(value)
            guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")), colon > text.startIndex else {
                throw .value("give a label's key and value with a colon between them, as \"site:a\".")
            }
            return TunnelSet.Scope(key: String(text[..<colon]), value: String(text[text.utf8.index(after: colon)...]))
        }
        scope.refuseUnknown(known: ["label"])
        object.add(scope.faults)
        return label
    }
}

extension ObjectReader {
    /// Takes over what stands against a body within this one.
    mutating func add(_ refusal: BodyRefusal, within pointer: String) {
        let isShape = if case .shape = refusal { true } else { false }
        add(
            refusal.violations.map {
                Fault(violation: Violation(pointer + $0.pointer, $0.detail), isShape: isShape)
            })
    }
}
