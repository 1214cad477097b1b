internal import HTTPServer
internal import Tunnels

/// Writes metrics, in either format: families one after another, each with its samples.
struct MetricsWriter {
    enum Kind: String {
        case counter, gauge, histogram, info

        /// What its samples have after the family's name.
        fileprivate var suffix: StaticString {
            switch self {
            case .counter: "_total"
            case .gauge, .histogram: ""
            case .info: "_info"
            }
        }
    }

    let format: MetricFormat
    private(set) var bytes: [UInt8] = []
    /// The names of the family at hand, and of its samples.
    private var family: [UInt8] = []
    private var name: [UInt8] = []
    private var created: [UInt8] = []

    init(_ format: MetricFormat, capacity: Int = 0) {
        self.format = format
        bytes.reserveCapacity(capacity)
    }

    /// Begins a family.
    ///
    /// - Parameter name: without `_total` and `_info`, which the samples have. One that ends in `_bytes` or `_seconds` has
    ///   that unit.
    mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        family = Array(name.utf8)
        self.name = family
        kind.suffix.withUTF8Buffer { self.name.append(contentsOf: $0) }
        created = family + Array("_created".utf8)
        // In the text format a family is called as its samples are.
        let heading = format == .text ? self.name : family
        describe("TYPE", heading)
        let knowsKind = format == .openMetrics || kind != .info
        bytes.append(contentsOf: (knowsKind ? kind : .gauge).rawValue.utf8)
        if format == .openMetrics, let unit = ["bytes", "seconds"].first(where: { name.hasSuffix("_\($0)") }) {
            endLine()
            describe("UNIT", heading)
            bytes.append(contentsOf: unit.utf8)
        }
        endLine()
        describe("HELP", heading)
        bytes.append(escaping: help, quotes: format == .openMetrics)
        endLine()
    }

    /// A sample.
    mutating func sample(_ value: some FixedWidthInteger, _ labels: MetricLabels = MetricLabels()) {
        line(name, labels, capacity: OutputSpan<UInt8>.integerBytes) { $0.append(decimal: value) }
    }

    /// A fraction: seconds, as Prometheus wants all times.
    mutating func sample(_ value: Double, _ labels: MetricLabels = MetricLabels()) {
        line(name, labels, text: Self.text(of: value))
    }

    /// A value as it is to be written.
    mutating func sample(text: String, _ labels: MetricLabels = MetricLabels()) {
        line(name, labels, text: text)
    }

    /// A count.
    ///
    /// - Parameter time: since when it is counted, as `text(of:)` gives it; the text format has no place for that.
    mutating func count(
        _ value: some FixedWidthInteger, _ labels: MetricLabels = MetricLabels(), since time: String?
    ) {
        sample(value, labels)
        guard format == .openMetrics, let time else { return }
        line(created, labels, text: time)
    }

    mutating func count(_ value: Double, since time: String?) {
        sample(value)
        guard format == .openMetrics, let time else { return }
        line(created, MetricLabels(), text: time)
    }

    mutating func histogram(_ histogram: Histogram, since time: String?) {
        let bucket = family + Array("_bucket".utf8)
        var count: UInt64 = 0
        for (bound, inRange) in zip(histogram.bounds + [.infinity], histogram.counts) {
            count += inRange
            let labels = MetricLabels(("le", Self.text(of: bound)))
            line(bucket, labels, capacity: OutputSpan<UInt8>.integerBytes) { $0.append(decimal: count) }
        }
        line(family + Array("_sum".utf8), MetricLabels(), text: Self.text(of: histogram.sum))
        line(family + Array("_count".utf8), MetricLabels(), capacity: OutputSpan<UInt8>.integerBytes) {
            $0.append(decimal: count)
        }
        guard format == .openMetrics, let time else { return }
        line(created, MetricLabels(), text: time)
    }

    /// Ends the exposition; nothing may follow.
    mutating func end() {
        if format == .openMetrics { bytes.append(contentsOf: "# EOF\n".utf8) }
    }

    // MARK: -

    private mutating func describe(_ keyword: String, _ family: [UInt8]) {
        bytes.append(contentsOf: "# \(keyword) ".utf8)
        bytes.append(contentsOf: family)
        bytes.append(UInt8(ascii: " "))
    }

    private mutating func endLine() {
        bytes.append(UInt8(ascii: "\n"))
    }

    private mutating func line(_ name: [UInt8], _ labels: MetricLabels, text: String) {
        line(name, labels, capacity: text.utf8.count) { $0.append(text: text) }
    }

    /// - Parameter write: the value, in at most `capacity` bytes.
    private mutating func line(
        _ name: [UInt8], _ labels: MetricLabels, capacity: Int, _ write: (inout OutputSpan<UInt8>) -> Void
    ) {
        bytes.append(addingCapacity: name.count + labels.opened.count + capacity + 3) { output in
            output.append(copying: name.span)
            if !labels.opened.isEmpty {
                output.append(copying: labels.opened.span)
                output.append("}")
            }
            output.append(" ")
            write(&output)
            output.append("\n")
        }
    }

    /// As Go and OpenMetrics spell a float, with at least one decimal.
    static func text(of value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return "\(value)"
    }

    /// Seconds since 1970.
    static func text(of time: Timestamp) -> String {
        let (seconds, milliseconds) = time.milliseconds.quotientAndRemainder(dividingBy: 1000)
        let fraction = "00\(milliseconds.magnitude)".suffix(3)
        return "\(seconds).\(fraction)"
    }
}
