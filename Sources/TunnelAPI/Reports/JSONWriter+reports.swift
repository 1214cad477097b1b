internal import Tunnels

extension JSONWriter {
    mutating func host(_ report: HostReport, dataPlane: DataPlaneKind) {
        object { writer in
            writer.member("hostname", report.hostname)
            writer.member("kernel_release", report.kernelRelease)
            writer.member("data_plane", dataPlane.rawValue)
            writer.array("modules", report.modules) { writer, module in
                writer.object {
                    $0.member("name", module.name)
                    $0.member("state", module.state.rawValue)
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

    mutating func link(_ link: LinkReport) {
        object {
            $0.member("ifindex", link.ifindex)
            $0.member("name", link.name)
            $0.member("kind", link.kind)
            $0.member("up", link.isUp)
            $0.member("mtu", link.mtu)
            $0.member("tunnel_id", link.tunnel?.text)
        }
    }

    mutating func route(_ route: RouteReport) {
        object {
            $0.member("to", route.to.description)
            $0.member("type", route.type)
            $0.member("gateway", route.gateway?.description)
            $0.member("link", route.link)
            $0.member("source", route.source?.description)
            $0.member("metric", route.metric)
            $0.member("table", route.table)
            $0.member("protocol", route.routeProtocol)
            $0.member("ours", route.isOurs)
        }
    }

    private mutating func member(_ name: String, _ value: Bool?) {
        key(name)
        if let value { self.value(value) } else { null() }
    }
}
