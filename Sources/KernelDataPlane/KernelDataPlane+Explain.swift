internal import Netlink
internal import Tunnels

extension KernelDataPlane {
    /// What stands behind an error of one of a plan's messages: never a bare EEXIST.
    func explain(_ error: NetlinkError, in plan: TunnelPlan) -> TunnelProblem {
        guard error.code == .exists else { return TunnelProblem(error, obstacle: obstacle) }
        for operation in plan.operations {
            switch operation {
            case .create(let name, _, let parameters, _, _):
                if error.operation.hasPrefix("create") {
                    return obstacle(name: name, parameters) ?? .endpointsElsewhere(parameters)
                }
            case .change(_, let parameters):
                if error.operation.hasPrefix("change"), let problem = obstacle(name: nil, parameters) {
                    return problem
                }
            case .rename(let name):
                if error.operation.hasPrefix("set link"), let problem = obstacle(name: name, nil) {
                    return problem
                }
            case .addRoute(let route):
                let text = Request.addRoute(Route(route, by: 0)).operation
                if error.operation == text, let problem = obstacle(to: route) { return problem }
            default: break
            }
        }
        return TunnelProblem(error)
    }

    /// The link that has the name or the endpoints.
    private func obstacle(name: InterfaceName?, _ parameters: LinkParameters?) -> TunnelProblem? {
        guard let links = try? socket.links() else { return nil }
        if let name, let link = links.first(where: { $0.name == name.text }) {
            return .nameTaken(by: observed(link))
        }
        guard let endpoints = parameters?.endpoints else { return nil }
        let observed = links.lazy.map { self.observed($0) }
        return observed.first { $0.parameters?.endpoints == endpoints }.map { .endpointsTaken(by: $0) }
    }

    /// The route with the same destination and metric.
    private func obstacle(to route: TunnelRoute) -> TunnelProblem? {
        let routes = try? socket.routes(RouteFilter(table: Route.mainTable))
        guard let obstacle = routes?.first(where: { TunnelRoute($0) == route }) else { return nil }
        var way = ""
        if let index = obstacle.interface, let name = name(of: index) { way = " by \(name)" }
        let detail =
            "there is a route to \(route.to) with metric \(route.metric)\(way) already; remove it or choose another metric."
        return TunnelProblem(.routeTaken, detail, errno: NetlinkError.Code.exists.description)
    }

    private func name(of index: UInt32) -> String? {
        guard case .link(let link)? = try? socket.execute(.readLink(index)).first else {
            return nil
        }
        return link.name
    }
}
