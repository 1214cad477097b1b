internal import HTTPServer
internal import Reconciler
internal import Tunnels

/// Which tunnels a stream of samples is of. It is asked of each sample, so a tunnel that comes later is shown then.
struct SampleSelection: Hashable, Sendable {
    private static let tunnelsAtMost = 256

    /// By name or id; empty for all.
    let tunnels: Set<TunnelKey>
    /// All must be there.
    let labels: [String: String]
    /// Whether one label would have to have two values.
    private let isOfNone: Bool

    init(_ request: Request) throws(Problem) {
        let query = try Query(request, known: ["tunnel", "label"])
        var tunnels: Set<TunnelKey> = []
        for text in query.values("tunnel") {
            guard let key = TunnelKey(text) else {
                throw Problem(.invalidParameter, "tunnel is a name or an id, and may be repeated.")
            }
            tunnels.insert(key)
        }
        guard tunnels.count <= Self.tunnelsAtMost else {
            let most = Self.tunnelsAtMost
            throw Problem(
                .invalidParameter, "Select at most \(most) tunnels by name, or give them a label and select that.")
        }
        var (labels, isOfNone) = ([String: String](), false)
        for text in query.values("label") {
            let (key, value) = try PageRequest.label(text)
            if labels[key].map({ $0 != value }) ?? false { isOfNone = true }
            labels[key] = value
        }
        guard labels.count <= DefinitionLimits.labels else {
            throw Problem(.invalidParameter, "No tunnel has more than \(DefinitionLimits.labels) labels.")
        }
        (self.tunnels, self.labels, self.isOfNone) = (tunnels, labels, isOfNone)
    }

    /// What it selects of a sample, by name.
    func entries(of sample: Sample, in directory: Directory) -> [Sample.Entry] {
        if isOfNone { return [] }
        guard !tunnels.isEmpty else {
            return labels.isEmpty ? Array(sample.entries) : sample.entries.filter { matches($0.view.tunnel) }
        }
        var found: [TunnelID: Sample.Entry] = [:]
        for key in tunnels {
            guard let tunnel = directory.view(key)?.tunnel, matches(tunnel) else { continue }
            found[tunnel.id] = sample.entry(of: tunnel)
        }
        return found.values.sorted { $0.view.tunnel.name < $1.view.tunnel.name }
    }

    private func matches(_ tunnel: Tunnel) -> Bool {
        labels.allSatisfy { tunnel.definition.labels[$0.key] == $0.value }
    }
}
