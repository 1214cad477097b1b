internal import HTTPServer
internal import Reconciler
internal import Tunnels

extension JSONWriter {
    /// What an apply did, or a dry run would do.
    ///
    /// - Parameter view: a tunnel as it is now.
    mutating func members(
        of outcome: ApplyOutcome, isDryRun: Bool, _ preference: Request.Preference?,
        view: (TunnelID) -> TunnelView?
    ) {
        member("revision", outcome.revision)
        member("dry_run", isDryRun)
        var counts: [SetChange.Action: Int] = [:]
        for item in outcome.items { counts[item.action, default: 0] += 1 }
        object("counts") { writer in
            writer.member("create", counts[.create] ?? 0)
            writer.member("change", counts[.change] ?? 0)
            writer.member("delete", counts[.delete] ?? 0)
            writer.member("keep", counts[.keep] ?? 0)
        }
        key("checkpoint")
        if let checkpoint = outcome.checkpoint { self.checkpoint(checkpoint) } else { null() }
        guard preference != .minimal else { return }
        array("items", outcome.items) { writer, item in
            writer.object { writer in
                writer.members(of: item, isDryRun: isDryRun)
                if preference == .representation, !isDryRun, let id = item.wanted?.id, let view = view(id) {
                    writer.key("tunnel")
                    writer.tunnel(view)
                }
            }
        }
        if isDryRun { operations(of: outcome) }
    }

    private mutating func members(of item: SetChange.Item, isDryRun: Bool) {
        guard let tunnel = item.wanted ?? item.former else { return }
        member("position", item.position)
        member("action", item.action.rawValue)
        member("name", tunnel.name.text)
        // What isn't made yet has no id.
        member("id", isDryRun && item.former == nil ? nil : tunnel.id.text)
        member("revision", item.wanted?.revision)
        guard isDryRun, let former = item.former?.definition, let wanted = item.wanted?.definition else { return }
        array("changes", FieldChange.all(from: former, to: wanted)) { writer, change in
            writer.object { writer in
                writer.member("field", change.field)
                writer.key("before")
                writer.value(change.before)
                writer.key("after")
                writer.value(change.after)
            }
        }
    }

    /// What the data plane would be given, in order.
    private mutating func operations(of outcome: ApplyOutcome) {
        var tunnels: [TunnelID: Tunnel] = [:]
        for item in outcome.items where item.action != .keep {
            if let tunnel = item.wanted ?? item.former { tunnels[tunnel.id] = tunnel }
        }
        key("operations")
        array { writer in
            for plan in outcome.plans {
                for operation in plan.operations {
                    writer.object { writer in
                        writer.member("tunnel", plan.name)
                        writer.member("ifindex", plan.ifindex)
                        writer.members(of: operation, tunnels[plan.tunnel]?.definition)
                    }
                }
            }
        }
    }

    private mutating func members(of operation: Operation, _ definition: TunnelDefinition?) {
        switch operation {
        case .create(let name, let kind, let parameters, let mtu, let up):
            member("operation", "create")
            member("name", name.text)
            member("kind", kind.rawValue)
            members(of: parameters, definition)
            member("mtu", mtu)
            member("up", up)
        case .change(let kind, let parameters):
            member("operation", "change")
            member("kind", kind.rawValue)
            members(of: parameters, definition)
        case .mark: member("operation", "mark")
        case .rename(let name):
            member("operation", "rename")
            member("name", name.text)
        case .setMTU(let mtu):
            member("operation", "set_mtu")
            member("mtu", mtu)
        case .setUp(let up):
            member("operation", "set_up")
            member("up", up)
        case .addAddress(let address):
            member("operation", "add_address")
            member("address", address.description)
        case .removeAddress(let address):
            member("operation", "remove_address")
            member("address", address.description)
        case .addRoute(let route):
            member("operation", "add_route")
            members(of: route)
        case .removeRoute(let route):
            member("operation", "remove_route")
            members(of: route)
        case .delete: member("operation", "delete")
        }
    }

    private mutating func members(of route: TunnelRoute) {
        member("to", route.to.description)
        member("metric", route.metric)
    }

    private mutating func members(of parameters: LinkParameters, _ definition: TunnelDefinition?) {
        member("local", parameters.local?.description)
        member("remote", parameters.remote?.description)
        member("underlay", definition?.underlay?.text)
        member("ttl", parameters.ttl)
        member("tos", parameters.tos)
        member("pmtudisc", parameters.pmtudisc)
        member("fwmark", parameters.fwmark)
    }
}

/// A field that a change gives another value, both as the API shows them.
private struct FieldChange {
    let field: String
    let before: JSONValue
    let after: JSONValue

    /// In the order of a tunnel's fields.
    static func all(from former: TunnelDefinition, to wanted: TunnelDefinition) -> [FieldChange] {
        let (before, after) = (values(of: former), values(of: wanted))
        return TunnelBody.fields.compactMap { field in
            guard let old = before[field], let new = after[field], old != new else { return nil }
            return FieldChange(field: field, before: old, after: new)
        }
    }

    private static func values(of definition: TunnelDefinition) -> [String: JSONValue] {
        var writer = JSONWriter()
        writer.object { $0.members(of: definition) }
        guard case .object(let members)? = try? JSONReader.read(writer.bytes) else { return [:] }
        return members
    }
}
