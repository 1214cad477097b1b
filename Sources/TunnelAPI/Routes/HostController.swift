internal import HTTPServer
internal import Reconciler
internal import Tunnels

/// What this host is and has.
struct HostController: Sendable {
    private let host: RecentAnswer
    private let kernelRoutes: RecentAnswer

    init(_ sources: API.Sources) {
        host = RecentAnswer(timing: sources.timing) {
            var writer = JSONWriter()
            let loads = sources.reconciler.moduleLoads.all
            writer.host(sources.host(), loads: loads, dataPlane: sources.dataPlane)
            return Response(json: writer)
        }
        kernelRoutes = RecentAnswer(timing: sources.timing, listing: sources.routes) { $0.route($1) }
    }

    var routes: [Route] {
        [
            Route(.get, "/v1/host") { try answer($0, host) },
            Route(.get, "/v1/routes") { try answer($0, kernelRoutes) },
        ]
    }

    private func answer(_ request: Request, _ recent: RecentAnswer) throws -> Answer {
        _ = try Query(request)
        return try recent.answer()
    }
}
