internal import Reconciler
internal import TunnelStore
internal import Tunnels

/// What a client sends to make a set of tunnels true.
struct ApplyBody {
    var set: TunnelSet
    var isDryRun = false
    /// nil where the change stays.
    var confirmation: Confirmation?

    static let fields = ["tunnels", "prune", "scope", "dry_run", "confirm_within_seconds", "confirm_when"]
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
        confirmation = Self.confirmation(from: &object)
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

// MARK: - Confirmation

extension ApplyBody {
    private static func confirmation(from object: inout ObjectReader) -> Confirmation? {
        let range = Confirmation.range
        let seconds: Int?? = object.optional("confirm_within_seconds") { (value) throws(FieldError) in
            try Field.orNull(value) { (value) throws(FieldError) in
                let text = "\(range.lowerBound) to \(range.upperBound) seconds"
                let seconds: Int = try Field.integer(value, range: text)
                guard range.contains(seconds) else { throw .value("give \(text).") }
                return seconds
            }
        }
        let members: [String: JSONValue]?? = object.optional("confirm_when") { (value) throws(FieldError) in
            switch value {
            case .null: return nil
            case .object(let members): return members
            default: throw .shape("give an object with answers and through; this is \(value.typeName).")
            }
        }
        let probe = (members ?? nil).flatMap { self.probe(from: $0, &object) }
        if let seconds = seconds ?? nil { return Confirmation(within: seconds, probe: probe) }
        if probe != nil {
            let detail = "give it with confirm_when: after so long the change goes back."
            object.add(.value(detail), at: "/confirm_within_seconds")
        }
        return nil
    }

    private static func probe(
        from members: [String: JSONValue], _ object: inout ObjectReader
    ) -> Checkpoint.Probe? {
        var reader = ObjectReader(members, at: "/confirm_when")
        let address = reader.required("answers", example: "\"192.168.1.254\"") { (value) throws(FieldError) in
            let address = try Field.endpoint(value)
            guard !address.isThisNetwork, !address.isLoopback, !address.isMulticast, !address.isReserved else {
                throw .value("give an address of one host at the other end; nobody answers as \(address).")
            }
            return address
        }
        let tunnel = reader.required("through", example: "\"tun_a\"", Field.name)
        reader.refuseUnknown(known: ["answers", "through"])
        object.add(reader.faults)
        guard let address, let tunnel else { return nil }
        return Checkpoint.Probe(address: address, tunnel: tunnel)
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
