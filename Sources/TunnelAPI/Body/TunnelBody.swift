internal import Tunnels

/// What a client sends to make or replace a tunnel.
struct TunnelBody {
    var definition: TunnelDefinition
    /// The revision that the client has seen; a precondition.
    var revision: Int64?

    /// In the order of answers.
    static let fields = [
        "name", "kind", "local", "remote", "addresses", "routes", "mtu", "ttl", "tos", "pmtudisc", "underlay",
        "fwmark", "enabled", "drift_policy", "labels", "comment",
    ]
    /// What the server adds. Passed over, so that a tunnel as it was read, with a change, can be sent back.
    static let serverFields = ["id", "created_at", "updated_at", "status"]

    /// - Parameter name: stands in for a name that the body leaves out, where the path gives one.
    init(_ value: JSONValue, name: InterfaceName? = nil) throws(BodyRefusal) {
        var object = ObjectReader(try Self.members(of: value))
        object.ignore(Self.serverFields)
        revision = object.optional("revision", Self.revision)
        definition = try Self.definition(from: &object, name: name)
    }

    /// Reads the definition alone, and all of the object.
    static func definition(
        from object: inout ObjectReader, name pathName: InterfaceName? = nil
    ) throws(BodyRefusal) -> TunnelDefinition {
        let name =
            if let pathName {
                object.optional("name", Field.name) ?? pathName
            } else {
                object.required("name", example: "\"tun_a\"", Field.name)
            }
        let remote = object.required("remote", example: "\"172.16.1.62\"", Field.endpoint)
        // Stand-ins, so that the other fields are judged too; what depends on them isn't reported.
        guard let standIn = name ?? (try? InterfaceName("stand-in")) else { throw .shape([]) }
        var definition = TunnelDefinition(name: standIn, remote: remote ?? IPv4Address(192, 0, 2, 1))
        readEndpoints(&object, into: &definition)
        readHeader(&object, into: &definition)
        let addresses = object.elements("addresses", of: "strings") { object, value, pointer in
            object.read(value, at: pointer, Field.interfaceAddress)
        }
        let routes = object.elements("routes", of: "objects", Self.route)
        definition.addresses = addresses.map(\.value)
        definition.routes = routes.map(\.value)
        readRest(&object, into: &definition)
        object.refuseUnknown(known: fields)
        let violations = definition.violations()
        if !violations.isEmpty {
            let positions = ["addresses": addresses.map(\.position), "routes": routes.map(\.position)]
            add(violations, hasName: name != nil, positions: positions, to: &object)
        }
        try object.finish()
        return definition
    }

    static func members(of value: JSONValue) throws(BodyRefusal) -> [String: JSONValue] {
        guard case .object(let members) = value else {
            throw .shape([Violation("", "give an object; this is \(value.typeName).")])
        }
        return members
    }

    static func revision(_ value: JSONValue) throws(FieldError) -> Int64 {
        let revision: Int64 = try Field.integer(value, range: "the revision that you have seen, from 1 up")
        guard revision > 0 else { throw .value("revisions count from 1; leave it out where there is none.") }
        return revision
    }

    // MARK: Groups of fields

    private static func readEndpoints(_ object: inout ObjectReader, into definition: inout TunnelDefinition) {
        object.read("kind", into: &definition.kind, Field.kind)
        object.read("local", into: &definition.local) { (value) throws(FieldError) in
            try Field.orNull(value, Field.endpoint)
        }
        object.read("underlay", into: &definition.underlay) { (value) throws(FieldError) in
            try Field.orNull(value, Field.name)
        }
    }

    private static func readHeader(_ object: inout ObjectReader, into definition: inout TunnelDefinition) {
        object.read("mtu", into: &definition.mtu) { (value) throws(FieldError) in
            let (lower, upper) = (DefinitionLimits.mtu.lowerBound, DefinitionLimits.mtu.upperBound)
            return try Field.orNull(value) { (value) throws(FieldError) in
                try Field.integer(value, range: "\(lower) to \(upper) bytes, or null to follow the underlay")
            }
        }
        object.read("ttl", into: &definition.ttl) { (value) throws(FieldError) in
            try Field.header(value, range: "1 to 255")
        }
        object.read("tos", into: &definition.tos) { (value) throws(FieldError) in
            try Field.header(value, range: "a multiple of 4 from 0 to 252")
        }
        object.read("pmtudisc", into: &definition.pmtudisc, Field.boolean)
        object.read("fwmark", into: &definition.fwmark) { (value) throws(FieldError) in
            try Field.orNull(value) { (value) throws(FieldError) in
                try Field.integer(value, range: "1 to 4294967295, or null for no mark")
            }
        }
    }

    private static func readRest(_ object: inout ObjectReader, into definition: inout TunnelDefinition) {
        object.read("enabled", into: &definition.enabled, Field.boolean)
        object.read("drift_policy", into: &definition.driftPolicy, Field.driftPolicy)
        object.read("comment", into: &definition.comment, Field.text)
        definition.labels = labels(&object)
    }

    static func labels(_ object: inout ObjectReader) -> [String: String] {
        let members = object.optional("labels") { (value) throws(FieldError) in
            guard case .object(let labels) = value else {
                throw .shape("give an object of strings; this is \(value.typeName).")
            }
            return labels
        }
        var labels: [String: String] = [:]
        for (key, value) in (members ?? [:]).sorted(by: { $0.key < $1.key }) {
            labels[key] = object.read(value, at: { "/labels/\(Violation.escape(key))" }, Field.text)
        }
        return labels
    }

    private static func route(
        _ object: inout ObjectReader, _ value: JSONValue, _ pointer: () -> String
    ) -> TunnelRoute? {
        let pointer = pointer()
        guard case .object(let members) = value else {
            object.add(
                .shape("give an object, as {\"to\": \"10.20.0.0/16\"}; this is \(value.typeName)."),
                at: pointer)
            return nil
        }
        var route = ObjectReader(members, at: pointer)
        let to = route.required("to", example: "\"10.20.0.0/16\"", Field.prefix)
        var metric: UInt32 = 0
        route.read("metric", into: &metric) { (value) throws(FieldError) in
            try Field.integer(value, range: "0 to 4294967295")
        }
        route.refuseUnknown(known: ["to", "metric"])
        object.add(route.faults)
        return to.map { TunnelRoute(to: $0, metric: metric) }
    }

    // MARK: Values as a whole

    /// Adds what is wrong with the definition as a whole, except for members that couldn't be read.
    private static func add(
        _ violations: [Violation], hasName: Bool, positions: [String: [Int]], to object: inout ObjectReader
    ) {
        let unread = Set(object.faults.map(\.violation.pointer))
        for violation in violations {
            var tokens = violation.pointer.split(separator: "/", omittingEmptySubsequences: false).map(
                String.init)
            // Elements that couldn't be read were left out, so the others have moved up.
            if tokens.count > 2, let index = Int(tokens[2]), let kept = positions[tokens[1]],
                index < kept.count
            {
                tokens[2] = String(kept[index])
            }
            let pointer = tokens.joined(separator: "/")
            if unread.contains(pointer) || !hasName && pointer == "/underlay" { continue }
            object.add(Violation(pointer, violation.detail))
        }
    }
}
