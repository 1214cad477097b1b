internal import Reconciler
internal import Tunnels

extension JSONWriter {
    /// The tunnel as the API shows it: the definition with its defaults, then what the server adds.
    mutating func tunnel(_ view: TunnelView) {
        let tunnel = view.tunnel
        object { writer in
            writer.members(of: tunnel.definition)
            writer.member("id", tunnel.id.text)
            writer.member("revision", tunnel.revision)
            writer.member("created_at", tunnel.createdAt.description)
            writer.member("updated_at", tunnel.updatedAt.description)
            writer.object("status") { $0.members(of: view.status) }
        }
    }

    mutating func members(of definition: TunnelDefinition) {
        member("name", definition.name.text)
        member("kind", definition.kind.rawValue)
        member("local", definition.local?.description)
        member("remote", definition.remote.description)
        array("addresses", definition.addresses) { $0.value($1.description) }
        array("routes", definition.routes) { writer, route in
            writer.object {
                $0.member("to", route.to.description)
                $0.member("metric", route.metric)
            }
        }
        member("mtu", definition.mtu)
        member("ttl", definition.ttl)
        member("tos", definition.tos)
        member("pmtudisc", definition.pmtudisc)
        member("underlay", definition.underlay?.text)
        member("fwmark", definition.fwmark)
        member("enabled", definition.enabled)
        member("drift_policy", definition.driftPolicy.rawValue)
        object("labels") { writer in
            for (key, value) in definition.labels.sorted(by: { $0.key < $1.key }) {
                writer.key(escaping: key)
                writer.value(value)
            }
        }
        member("comment", definition.comment)
    }

    mutating func member(_ name: StaticString, _ field: HeaderField) {
        switch field {
        case .inherit: member(name, "inherit")
        case .fixed(let value): member(name, value)
        }
    }

    private mutating func members(of status: TunnelStatus) {
        member("state", status.state.rawValue)
        member("data_plane", status.dataPlane.rawValue)
        member("ifindex", status.ifindex)
        member("mtu", status.mtu)
        member("reconciled_at", status.reconciledAt?.description)
        key("problem")
        if let problem = status.problem { object { $0.members(of: problem) } } else { null() }
        array("drift", status.drift) { writer, drift in
            writer.object {
                $0.member("field", drift.field)
                $0.member("desired", drift.desired)
                $0.member("observed", drift.observed)
                $0.member("found_at", drift.foundAt.description)
                $0.member("repaired_at", drift.repairedAt?.description)
            }
        }
    }

    mutating func members(of problem: TunnelProblem) {
        let type = ProblemType(problem.code)
        member("type", type.reference)
        member("title", type.title)
        member("detail", problem.detail)
        member("errno", problem.errno)
        member("kernel_message", problem.kernelMessage)
    }
}
