internal import HTTPServer
internal import Reconciler
internal import Synchronization
internal import Tunnels

/// Counters and rates. One sample serves everybody who asks within its interval, encoded once.
struct StatsController: Sendable {
    private let reconciler: Reconciler
    private let sampler: Sampler
    private let newest = Newest()

    private final class Newest: Sendable {
        let all = Mutex<(sample: Sample, answer: PreparedResponse)?>(nil)
    }

    init(reconciler: Reconciler, sampler: Sampler) {
        self.reconciler = reconciler
        self.sampler = sampler
    }

    var routes: [Route] {
        [
            Route(.get, "/v1/stats", all),
            Route(.get, "/v1/tunnels/{name}/stats", one),
        ]
    }

    private func all(_ request: Request) throws -> Answer {
        let sample = try sample(request)
        // Encoded under the lock, so that those who ask at the same time share it.
        return newest.all.withLock { newest in
            if let newest, newest.sample === sample { return .prepared(newest.answer) }
            var writer = JSONWriter(capacity: JSONWriter.statsCapacity(sample.entries.count))
            writer.stats(sample)
            let response = Response(json: writer)
            guard let prepared = PreparedResponse(response) else { return .response(response) }
            newest = (sample, prepared)
            return .prepared(prepared)
        }
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
}
