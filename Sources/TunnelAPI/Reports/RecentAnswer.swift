internal import HTTPServer
internal import Reconciler
internal import Synchronization
internal import Tunnels

/// An answer that costs system calls, made anew when it is a tenth of a second old: so what it costs doesn't grow
/// with those who ask.
final class RecentAnswer: Sendable {
    private static let lasts = Duration.milliseconds(100)

    private let timing: Timing
    private let make: @Sendable () throws -> Response
    /// Held while it is made, so that all who wait get the same.
    private let newest = Mutex<(answer: PreparedResponse, madeAt: Duration)?>(nil)

    init(timing: Timing, _ make: @escaping @Sendable () throws -> Response) {
        self.timing = timing
        self.make = make
    }

    func answer() throws -> Answer {
        try newest.withLock { newest in
            let now = timing.uptime()
            if let newest, now - newest.madeAt < Self.lasts { return .prepared(newest.answer) }
            let response = try make()
            guard let prepared = PreparedResponse(response) else { return .response(response) }
            newest = (prepared, now)
            return .prepared(prepared)
        }
    }
}

extension RecentAnswer {
    /// A list of all that `read` finds, as `items`.
    convenience init<Item>(
        timing: Timing, listing read: @escaping @Sendable () throws(TunnelProblem) -> [Item],
        _ write: @escaping @Sendable (inout JSONWriter, Item) -> Void
    ) {
        self.init(timing: timing) {
            let items = try read()
            var writer = JSONWriter(capacity: 64 + items.count * 160)
            writer.object { $0.array("items", items, write) }
            return Response(json: writer)
        }
    }
}
