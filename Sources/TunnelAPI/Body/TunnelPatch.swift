internal import Tunnels

/// A change to a tunnel: a JSON merge patch (RFC 7396) of its definition's own JSON form. `null` brings a
/// member's default back.
struct TunnelPatch {
    private let changes: JSONValue
    /// The revision that the client has seen; a precondition.
    let revision: Int64?

    init(_ value: JSONValue) throws(BodyRefusal) {
        var members = try TunnelBody.members(of: value)
        for name in TunnelBody.serverFields { members[name] = nil }
        var object = ObjectReader(members)
        revision = object.optional("revision", TunnelBody.revision)
        members["revision"] = nil
        // Here and not on the result: a null for an unknown member would leave no trace in it.
        object.ignore(TunnelBody.fields)
        object.refuseUnknown(known: TunnelBody.fields)
        try object.finish()
        changes = .object(members)
    }

    func applied(to definition: TunnelDefinition) throws(BodyRefusal) -> TunnelDefinition {
        var writer = JSONWriter()
        writer.object { $0.members(of: definition) }
        let merged: JSONValue
        do {
            merged = try JSONReader.read(writer.bytes).merged(with: changes)
        } catch {
            throw .notJSON(error)
        }
        var object = ObjectReader(try TunnelBody.members(of: merged))
        return try TunnelBody.definition(from: &object)
    }
}

extension JSONValue {
    /// The value with a merge patch applied (RFC 7396, section 2).
    func merged(with patch: JSONValue) -> JSONValue {
        guard case .object(let changes) = patch else { return patch }
        var members: [String: JSONValue] = [:]
        if case .object(let present) = self { members = present }
        for (name, change) in changes {
            members[name] = change == .null ? nil : (members[name] ?? .null).merged(with: change)
        }
        return .object(members)
    }
}
