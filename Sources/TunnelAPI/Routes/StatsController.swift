internal import HTTPServer
internal import Reconciler
internal import Synchronization
internal import Tunnels

/// Counters and rates. One sample serves everybody who asks within its interval, encoded once and compressed once; as a
/// stream, each sample as it is taken.
struct StatsController: Sendable {
    private let reconciler: Reconciler
    private let sampler: Sampler
    private let streams: SampleStreams
    private let newest = Newest()

    private final class Newest: Sendable {
        let all = Mutex<(sample: Sample, answer: NegotiatedResponse)?>(nil)
    }

    init(reconciler: Reconciler, sampler: Sampler, streams: SampleStreams) {
        self.reconciler = reconciler
        self.sampler = sampler
        self.streams = streams
    }

    var routes: [Route] {
        [
            Route(.get, "/v1/stats", all),
            Route(.get, "/v1/stats/stream", stream),
            Route(.get, "/v1/tunnels/{name}/stats", one),
        ]
    }

    private func all(_ request: Request) throws -> Answer {
        _ = try request.entityTags("If-None-Match")
        let sample = try sample(request)
        // Encoded under the lock, so that those who ask at the same time share it.
        let answer = newest.all.withLock { newest in
            if let newest, newest.sample === sample { return newest.answer as NegotiatedResponse? }
            var writer = JSONWriter(capacity: JSONWriter.statsCapacity(sample.entries.count))
            writer.stats(sample)
            let response = Response(json: writer, headers: [.init("Cache-Control", "no-cache")])
            let answer = NegotiatedResponse(response, tag: sample.entityTag, level: SampleFrame.compression)
            newest = answer.map { (sample, $0) }
            return answer
        }
        guard let answer else { throw HTTPError.internalError }
        return answer.answer(to: request)
    }

    private func one(_ request: Request) throws -> Answer {
        let sample = try sample(request)
        guard let key = request.tunnelKey, let view = reconciler.directory.view(key) else {
            throw WriteRefusal.notFound
        }
        var writer = JSONWriter(capacity: JSONWriter.statsCapacity(1))
        writer.stats(of: view, in: sample)
        return .response(Response(json: writer))
    }

    private func sample(_ request: Request) throws -> Sample {
        let isFresh = try Query(request, known: ["fresh"]).flag("fresh")
        return try sampler.sample(isFresh: isFresh)
    }

    private func stream(_ request: Request) throws -> Answer {
        let selection = try SampleSelection(request)
        let first = try sampler.sample()
        let stream = try streams.subscribe(
            selection, isCompressed: request.acceptsGzip, from: first, by: request.principal as? Principal)
        var headers = [
            Response.Header("Content-Type", "text/event-stream"), Response.Header("Vary", "Accept-Encoding"),
            // For proxies that would collect the answer first.
            Response.Header("X-Accel-Buffering", "no"),
        ]
        if request.acceptsGzip { headers.append(.init("Content-Encoding", "gzip")) }
        return .response(Response(status: 200, headers: headers, body: .stream(stream)))
    }
}

extension Sample {
    /// Not given twice, also after a restart, where numbers begin anew.
    fileprivate var entityTag: String { "\(sampledAt.milliseconds)-\(number)" }
}
