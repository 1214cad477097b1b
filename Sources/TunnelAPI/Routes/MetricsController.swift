internal import Dispatch
internal import HTTPServer
internal import Reconciler
internal import Synchronization

/// `/metrics`, for Prometheus. All who ask within a sample's interval share one encoding.
struct MetricsController: Sendable {
    private let sources: API.Sources
    private let newest = Newest()
    /// Ten thousand tunnels are tens of megabytes: no thread of the server makes them.
    private let queue = DispatchQueue(label: "metrics")

    /// What a client gets; nothing else is kept of the exposition.
    private struct Form: Hashable {
        let format: MetricFormat
        let isCompressed: Bool
    }

    /// Of the newest sample that was asked for, each form that was.
    private final class Newest: Sendable {
        private let answers = Mutex<(sample: Sample, byForm: [Form: PreparedResponse])?>(nil)

        func answer(of sample: Sample, as form: Form) -> PreparedResponse? {
            answers.withLock { answers in
                guard let answers, answers.sample === sample else { return nil }
                return answers.byForm[form]
            }
        }

        func keep(_ answer: PreparedResponse, of sample: Sample, as form: Form) {
            answers.withLock { answers in
                let others = answers.flatMap { $0.sample === sample ? $0.byForm : nil } ?? [:]
                answers = (sample, others.merging([form: answer]) { $1 })
            }
        }

        /// Nobody will ask for them once there is a newer sample, and they are large.
        func forget(olderThan sample: Sample) {
            answers.withLock { answers in
                if let kept = answers?.sample, kept.number < sample.number { answers = nil }
            }
        }
    }

    init(_ sources: API.Sources) {
        self.sources = sources
        sources.sampler.onSample { [newest] in newest.forget(olderThan: $0) }
    }

    var routes: [Route] { [Route(.get, "/metrics", metrics)] }

    private func metrics(_ request: Request) throws -> Answer {
        let isFresh = try Query(request, known: ["fresh"]).flag("fresh")
        let sample = try sources.sampler.sample(isFresh: isFresh)
        let form = Form(
            format: MetricFormat(accept: request.headers.values("Accept")), isCompressed: request.acceptsGzip)
        if let answer = newest.answer(of: sample, as: form) { return .prepared(answer) }
        let server = sources.server()
        return .deferred { [self] responder in
            queue.async {
                if let answer = newest.answer(of: sample, as: form) { return responder.answer(answer) }
                let response = response(sample, form, server)
                guard let prepared = PreparedResponse(response) else { return responder.answer(response) }
                newest.keep(prepared, of: sample, as: form)
                responder.answer(prepared)
            }
        }
    }

    private func response(_ sample: Sample, _ form: Form, _ server: ServerStatistics?) -> Response {
        let views = sources.reconciler.directory.views
        let tunnels = TunnelMetrics(views, sample)
        var writer = MetricsWriter(form.format, capacity: tunnels.capacity(in: form.format))
        tunnels.write(to: &writer)
        DaemonMetrics(sources, sample, server).write(to: &writer, views)
        writer.end()
        var response = Response(
            status: 200, contentType: form.format.contentType, body: writer.bytes,
            headers: [.init("Vary", "Accept, Accept-Encoding")])
        // The same names and labels over and over: level 1 makes a twentieth of it already.
        if form.isCompressed, let compressed = Gzip.compress(writer.bytes, level: 1) {
            response.body = .bytes(compressed)
            response.headers.append(.init("Content-Encoding", "gzip"))
        }
        return response
    }
}
