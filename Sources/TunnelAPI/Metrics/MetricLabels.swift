/// The labels of a sample, written once for all samples that have them.
struct MetricLabels {
    /// `{name="tun_a",id="…"`; empty where there are none.
    private(set) var opened: [UInt8] = []

    init(_ labels: (name: StaticString, value: String)...) {
        for label in labels { add(label.name, label.value) }
    }

    /// With one more.
    func and(_ name: StaticString, _ value: String) -> MetricLabels {
        var labels = self
        labels.add(name, value)
        return labels
    }

    private mutating func add(_ name: StaticString, _ value: String) {
        opened.append(opened.isEmpty ? UInt8(ascii: "{") : UInt8(ascii: ","))
        name.withUTF8Buffer { opened.append(contentsOf: $0) }
        opened.append(contentsOf: "=\"".utf8)
        opened.append(escaping: value, quotes: true)
        opened.append(UInt8(ascii: "\""))
    }
}

extension [UInt8] {
    /// Appends a text as metrics want it: with `\\`, `\n` and, where `quotes` says so, `\"`.
    mutating func append(escaping text: String, quotes: Bool) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): append(contentsOf: #"\\"#.utf8)
            case UInt8(ascii: "\n"): append(contentsOf: #"\n"#.utf8)
            case UInt8(ascii: "\"") where quotes: append(contentsOf: #"\""#.utf8)
            default: append(byte)
            }
        }
    }
}
