internal import Dispatch
internal import HTTPServer
internal import Reconciler
internal import Synchronization

/// `/metrics`, for Prometheus. All who ask within a sample's interval share one encoding.
struct MetricsController: Sendable {
    private let sources: API.Sources
    private let newest = Newest()
    /// Ten thousand tunnels are some ten megabytes: no thread of the server makes them.
    private let queue = DispatchQueue(label: "metrics")

    private final class Newest: Sendable {
        private let answers = Mutex<(sample: Sample, byFormat: [MetricFormat: PreparedResponse])?>(nil)

        func answer(of sample: Sample, in format: MetricFormat) -> PreparedResponse? {
            answers.withLock { answers in
                guard let answers, answers.sample === sample else { return nil }
                return answers.byFormat[format]
            }
        }

        func keep(_ answer: PreparedResponse, of sample: Sample, in format: MetricFormat) {
            answers.withLock { answers in
                let others = answers.flatMap { $0.sample === sample ? $0.byFormat : nil } ?? [:]
                answers = (sample, others.merging([format: answer]) { $1 })
            }
        }
    }

    init(_ sources: API.Sources) {
        self.sources = sources
    }

    var routes: [Route] { [Route(.get, "/metrics", metrics)] }

    private func metrics(_ request: Request) throws -> Answer {
        let isFresh = try Query(request, known: ["fresh"]).flag("fresh")
        let sample = try sources.sampler.sample(isFresh: isFresh)
        let format = MetricFormat(accept: request.headers.values("Accept"))
        if let answer = newest.answer(of: sample, in: format) { return .prepared(answer) }
        let server = sources.server()
        return .deferred { [self] responder in
            queue.async {
                if let answer = newest.answer(of: sample, in: format) { return responder.answer(answer) }
                let response = response(sample, format, server)
                guard let prepared = PreparedResponse(response) else { return responder.answer(response) }
                newest.keep(prepared, of: sample, in: format)
                responder.answer(prepared)
            }
        }
    }

    private func response(_ sample: Sample, _ format: MetricFormat, _ server: ServerStatistics?) -> Response {
        let views = sources.reconciler.directory.views
        let tunnels = TunnelMetrics(views, sample)
        var writer = MetricsWriter(format, capacity: tunnels.capacity(in: format))
        tunnels.write(to: &writer)
        DaemonMetrics(sources, sample, server).write(to: &writer, views)
        writer.end()
        return Response(
            status: 200, contentType: format.contentType, body: writer.bytes, headers: [.init("Vary", "Accept")])
    }
}
