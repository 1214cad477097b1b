internal import Tunnels

extension JSONWriter {
    /// - Parameter loads: the modules that were loaded for our tunnels, and when.
    mutating func host(_ report: HostReport, loads: [String: Timestamp], dataPlane: DataPlaneKind) {
        object { writer in
            writer.member("hostname", report.hostname)
            writer.member("kernel_release", report.kernelRelease)
            writer.member("data_plane", dataPlane.rawValue)
            writer.array("modules", report.modules) { writer, module in
                writer.object {
                    $0.member("name", module.name)
                    $0.member("state", module.state.rawValue)
                    $0.member("loaded_by_tunneld_at", loads[module.name]?.description)
                }
            }
            writer.member("ipv4_forwarding", report.forwardsIPv4)
            writer.member("reverse_path_filter", report.reversePathFilter)
            writer.object("capabilities") {
                $0.member("administer_network", report.canAdministerNetwork)
                $0.member("load_modules", report.canLoadModules)
            }
            writer.array("shortcomings", report.shortcomings) { $0.value($1) }
        }
    }

    mutating func link(_ listed: HostLink) {
        let link = listed.link
        object { writer in
            writer.member("ifindex", link.ifindex)
            writer.member("name", link.name)
            writer.member("kind", link.kind.isEmpty ? nil : link.kind)
            writer.member("up", link.isUp)
            writer.member("mtu", link.mtu)
            writer.member("local", link.parameters?.local?.description)
            writer.member("remote", link.parameters?.remote?.description)
            writer.array("addresses", link.addresses.map(\.description).sorted()) { $0.value($1) }
            writer.member("tunnel_id", link.owner?.text)
            writer.key("adoption")
            if let adoption = listed.adoption { writer.adoption(adoption) } else { writer.null() }
        }
    }

    private mutating func adoption(_ adoption: Adoption) {
        object { writer in
            writer.key("definition")
            if let definition = adoption.definition {
                writer.object { $0.members(of: definition) }
            } else {
                writer.null()
            }
            writer.notes("obstacles", adoption.obstacles)
            writer.notes("changes", adoption.changes)
            writer.notes("unmanaged", adoption.unmanaged)
        }
    }

    mutating func notes(_ name: StaticString, _ notes: [Adoption.Note]) {
        array(name, notes) { writer, note in
            writer.object {
                $0.member("field", note.field)
                $0.member("detail", note.detail)
            }
        }
    }

    mutating func route(_ route: ObservedRoute) {
        object {
            $0.member("to", route.to.description)
            $0.member("gateway", route.via?.description)
            $0.member("link", route.link)
            $0.member("source", route.source?.description)
            $0.member("metric", route.metric)
            $0.member("table", route.table)
            $0.member("protocol", route.protocol)
            $0.member("ours", route.isManaged)
        }
    }

    private mutating func member(_ name: StaticString, _ value: Bool?) {
        key(name)
        if let value { self.value(value) } else { null() }
    }
}
