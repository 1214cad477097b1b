/// The two forms of metrics that Prometheus reads.
enum MetricFormat: CaseIterable {
    /// The text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/).
    case text
    /// OpenMetrics 1.0.0 (https://prometheus.io/docs/specs/om/open_metrics_spec/).
    case openMetrics

    var contentType: String {
        switch self {
        case .text: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// What a client gets: the one that it takes more gladly, of two alike the one that it names more closely, else
    /// text, also where it takes neither, as other exporters do.
    ///
    /// - Parameter accept: the values of its `Accept` headers.
    init(accept: [String]) {
        let ranges = MediaRanges(accept)
        let text = ranges.quality(of: "text", "plain", version: "0.0.4")
        let open = ranges.quality(of: "application", "openmetrics-text", version: "1.0.0")
        self = open.value > 0 && open > text ? .openMetrics : .text
    }
}
