internal import HTTPServer
internal import Reconciler
internal import Tunnels

/// `?wait=30s&until=state:up`: to be answered when the tunnel is so, or when time is up; with `wait=0s`, at once.
struct WaitRequest {
    enum Condition: Sendable {
        case state(TunnelStatus.State)
        /// At least.
        case revision(Int64)
        case absent
    }

    static let parameters = ["wait", "until"]
    static let seconds = 0...300

    let duration: Duration
    /// One of these; empty for any change.
    let conditions: [Condition]

    /// nil where there is no `wait`.
    init?(_ query: Query) throws(Problem) {
        var conditions: [Condition] = []
        for text in query.values("until") { conditions.append(try Self.condition(text)) }
        guard let text = try query.value("wait") else {
            guard conditions.isEmpty else { throw Problem(.invalidParameter, "until takes wait, as wait=30s.") }
            return nil
        }
        let digits = text.hasSuffix("s") ? String(text.dropLast()) : text
        guard let seconds = Int(digits), Self.seconds.contains(seconds), String(seconds) == digits else {
            let (least, most) = (Self.seconds.lowerBound, Self.seconds.upperBound)
            throw Problem(.invalidParameter, "wait is \(least)s to \(most)s.")
        }
        duration = .seconds(seconds)
        self.conditions = conditions
    }

    func isReached(_ view: TunnelView?) -> Bool {
        conditions.contains { condition in
            switch condition {
            case .state(let state): view?.status.state == state
            case .revision(let revision): view.map { $0.tunnel.revision >= revision } ?? false
            case .absent: view == nil
            }
        }
    }

    private static func condition(_ text: String) throws(Problem) -> Condition {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        switch (parts[0], parts.count) {
        case ("absent", 1): return .absent
        case ("state", 2):
            if let state = TunnelStatus.State(rawValue: String(parts[1])) { return .state(state) }
        case ("revision", 2):
            if let revision = Int64(parts[1]), revision > 0, String(revision) == parts[1] { return .revision(revision) }
        default: break
        }
        let states = TunnelStatus.State.allCases.map(\.rawValue).joined(separator: "|")
        throw Problem(.invalidParameter, "until is state:\(states), revision:<number> (at least), or absent.")
    }
}
