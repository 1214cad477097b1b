internal import Dispatch
internal import HTTPServer
internal import History
internal import Reconciler
internal import Tunnels

/// `/v1/tunnels/{name}/stats/history`: the rates of a tunnel as they were.
struct HistoryController: Sendable {
    let directory: Directory
    let history: RateHistory
    let timing: Timing
    /// One is read at a time, and no thread of the server waits for the disk.
    private let queue = DispatchQueue(label: "rates")

    init(directory: Directory, history: RateHistory, timing: Timing) {
        (self.directory, self.history, self.timing) = (directory, history, timing)
    }

    var routes: [Route] { [Route(.get, "/v1/tunnels/{name}/stats/history", read)] }

    private func read(_ request: Request) throws -> Answer {
        let now = timing.now()
        let wanted = try HistoryRequest(request, now: now)
        guard let key = request.tunnelKey, let view = directory.view(key) else { throw WriteRefusal.notFound }
        return .deferred { [queue, history] responder in
            queue.async {
                let series = history.series(of: view.tunnel.id, in: wanted.span, now: now)
                var writer = JSONWriter(capacity: 512 + series.steps.count * 64)
                writer.history(of: view.tunnel, series)
                responder.answer(Response(json: writer))
            }
        }
    }
}

extension JSONWriter {
    fileprivate mutating func history(of tunnel: Tunnel, _ series: RateSeries) {
        object { writer in
            writer.member("name", tunnel.name.text)
            writer.member("id", tunnel.id.text)
            writer.member("from", Timestamp(milliseconds: series.span.from * 1000).description)
            writer.member("to", Timestamp(milliseconds: series.span.to * 1000).description)
            writer.member("step_seconds", series.span.step)
            writer.member("points", series.span.count)
            writer.rates("rx_bits_per_second", series) { $0.rxBytes * 8 }
            writer.rates("rx_packets_per_second", series) { $0.rxPackets }
            writer.rates("tx_bits_per_second", series) { $0.txBytes * 8 }
            writer.rates("tx_packets_per_second", series) { $0.txPackets }
            writer.rates("errors_per_second", series) { $0.errors }
            writer.rates("dropped_per_second", series) { $0.dropped }
        }
    }

    private mutating func rates(_ name: StaticString, _ series: RateSeries, _ rate: (RateSeries.Rates) -> Double) {
        array(name, series.steps) { writer, rates in
            if let rates { writer.value(toThousandths: rate(rates)) } else { writer.null() }
        }
    }
}
