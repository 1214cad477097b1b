/// Writes the Prometheus text format 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/).
struct MetricsText {
    enum Kind: String {
        case counter, gauge
    }

    private(set) var bytes: [UInt8] = []
    private var family = ""

    init(capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    /// Begins a family; its samples follow. `help` has no line ends and backslashes.
    mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        family = name
        bytes.append(contentsOf: "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n".utf8)
    }

    mutating func sample(_ value: some FixedWidthInteger, labels: [(name: String, value: String)] = []) {
        bytes.append(contentsOf: family.utf8)
        var separator = UInt8(ascii: "{")
        for label in labels {
            bytes.append(separator)
            bytes.append(contentsOf: label.name.utf8)
            bytes.append(contentsOf: "=\"".utf8)
            append(escaping: label.value)
            bytes.append(UInt8(ascii: "\""))
            separator = UInt8(ascii: ",")
        }
        if !labels.isEmpty { bytes.append(UInt8(ascii: "}")) }
        bytes.append(addingCapacity: OutputSpan<UInt8>.integerBytes + 2) { output in
            output.append(UInt8(ascii: " "))
            output.append(decimal: value)
            output.append(UInt8(ascii: "\n"))
        }
    }

    /// A fraction: seconds, as Prometheus wants all times.
    mutating func sample(fraction value: Double) {
        bytes.append(contentsOf: "\(family) \(value)\n".utf8)
    }

    private mutating func append(escaping text: String) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"), UInt8(ascii: "\""): bytes += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
            default: bytes.append(byte)
            }
        }
    }
}
