internal import HTTPServer
internal import Reconciler
internal import Tunnels

/// What this host is and has.
struct HostController: Sendable {
    private let host: RecentAnswer
    private let links: RecentAnswer
    private let kernelRoutes: RecentAnswer

    init(_ sources: API.Sources) {
        host = RecentAnswer(timing: sources.timing) {
            var writer = JSONWriter()
            let loads = sources.reconciler.moduleLoads.all
            writer.host(sources.host(), loads: loads, dataPlane: sources.dataPlane)
            return Response(json: writer)
        }
        links = Self.list(timing: sources.timing, sources.links) { $0.link($1) }
        kernelRoutes = Self.list(timing: sources.timing, sources.routes) { $0.route($1) }
    }

    var routes: [Route] {
        [
            Route(.get, "/v1/host") { try answer($0, host) },
            Route(.get, "/v1/links") { try answer($0, links) },
            Route(.get, "/v1/routes") { try answer($0, kernelRoutes) },
        ]
    }

    private func answer(_ request: Request, _ recent: RecentAnswer) throws -> Answer {
        _ = try Query(request)
        return try recent.answer()
    }

    private static func list<Item>(
        timing: Timing, _ read: @escaping @Sendable () throws(TunnelProblem) -> [Item],
        _ write: @escaping @Sendable (inout JSONWriter, Item) -> Void
    ) -> RecentAnswer {
        RecentAnswer(timing: timing) {
            let items = try read()
            var writer = JSONWriter(capacity: 64 + items.count * 160)
            writer.object { $0.array("items", items, write) }
            return Response(json: writer)
        }
    }
}
