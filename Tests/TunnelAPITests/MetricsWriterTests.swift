import Testing
import Tunnels

@testable import TunnelAPI

@Suite struct MetricsWriterTests {
    private func written(_ format: MetricFormat, _ write: (inout MetricsWriter) -> Void) -> String {
        var writer = MetricsWriter(format)
        write(&writer)
        writer.end()
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private let since = MetricsWriter.text(of: Timestamp(milliseconds: 1_767_323_045_070))

    @Test func aCounterInBothFormats() {
        func write(_ writer: inout MetricsWriter) {
            writer.family("f_bytes", .counter, "Help.")
            writer.count(UInt64.max, MetricLabels(("a", "b")), since: since)
            writer.count(0, since: nil)
        }
        #expect(
            written(.text, write) == """
                # TYPE f_bytes_total counter
                # HELP f_bytes_total Help.
                f_bytes_total{a="b"} 18446744073709551615
                f_bytes_total 0

                """)
        #expect(
            written(.openMetrics, write) == """
                # TYPE f_bytes counter
                # UNIT f_bytes bytes
                # HELP f_bytes Help.
                f_bytes_total{a="b"} 18446744073709551615
                f_bytes_created{a="b"} 1767323045.070
                f_bytes_total 0
                # EOF

                """)
    }

    @Test func informationAndGauges() {
        func write(_ writer: inout MetricsWriter) {
            writer.family("f", .info, "Help.")
            writer.sample(1, MetricLabels(("a", "")))
            writer.family("g", .gauge, "Help.")
            writer.sample(-0.5)
        }
        #expect(
            written(.text, write) == """
                # TYPE f_info gauge
                # HELP f_info Help.
                f_info{a=""} 1
                # TYPE g gauge
                # HELP g Help.
                g -0.5

                """)
        #expect(
            written(.openMetrics, write) == """
                # TYPE f info
                # HELP f Help.
                f_info{a=""} 1
                # TYPE g gauge
                # HELP g Help.
                g -0.5
                # EOF

                """)
    }

    /// Buckets count what is in those before them too, and their bounds are spelled alike in both formats.
    @Test(arguments: MetricFormat.allCases) func aHistogram(format: MetricFormat) {
        var histogram = Histogram(bounds: [0.5, 1])
        for value in [0.1, 0.2, 0.75, 3] { histogram.add(value) }
        let text = written(format) {
            $0.family("h_seconds", .histogram, "Help.")
            $0.histogram(histogram, since: since)
        }
        let isOpen = format == .openMetrics
        #expect(
            text == """
                # TYPE h_seconds histogram
                \(isOpen ? "# UNIT h_seconds seconds\n" : "")# HELP h_seconds Help.
                h_seconds_bucket{le="0.5"} 2
                h_seconds_bucket{le="1.0"} 3
                h_seconds_bucket{le="+Inf"} 4
                h_seconds_sum 4.05
                h_seconds_count 4
                \(isOpen ? "h_seconds_created 1767323045.070\n# EOF\n" : "")
                """)
    }

    @Test func whatHasToBeEscapedIs() {
        func write(_ writer: inout MetricsWriter) {
            writer.family("f", .gauge, "A \"b\" \\ c\nd")
            writer.sample(-5, MetricLabels(("a", "x\"\\\ny"), ("b", "é")).and("c", "d"))
        }
        let sample = #"f{a="x\"\\\ny",b="é",c="d"} -5"#
        #expect(written(.text, write).contains(#"# HELP f A "b" \\ c\nd"# + "\n" + sample))
        #expect(written(.openMetrics, write).contains(#"# HELP f A \"b\" \\ c\nd"# + "\n" + sample))
    }

    @Test(
        arguments: [
            (0, "0.0"), (1.5, "1.5"), (0.00025, "0.00025"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"),
            (1e300, "1e+300"),
        ] as [(Double, String)]) func floats(value: Double, text: String)
    {
        #expect(MetricsWriter.text(of: value) == text)
    }
}

@Suite struct MetricFormatTests {
    @Test(
        arguments: [
            ([], .text), (["*/*"], .text), (["application/json"], .text), (["text/plain"], .text),
            // What a Prometheus sends.
            (
                [
                    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                        + "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
                ], .openMetrics
            ),
            (
                [
                    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
                        + "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;q=0.4"
                ], .openMetrics
            ),
            // A browser.
            (["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], .text),
            (["application/openmetrics-text"], .openMetrics),
            (["Application/OpenMetrics-Text; Version=\"1.0.0\""], .openMetrics),
            (["application/openmetrics-text;version=2.0.0"], .text),
            (["application/openmetrics-text;version=0.0.1"], .text),
            (["application/*"], .openMetrics), (["application/*;q=0.5, */*"], .text),
            (["application/openmetrics-text;q=0.4", "text/plain;q=0.5"], .text),
            (["application/openmetrics-text;q=0.5", "text/plain;q=0.4"], .openMetrics),
            // Of two that are taken alike, the one that is named.
            (["application/openmetrics-text, */*"], .openMetrics), (["text/plain, application/*"], .text),
            // What names it most closely counts.
            (["application/openmetrics-text;q=0, */*"], .text), (["*/*;q=0, application/*;q=0.1"], .openMetrics),
            (["application/openmetrics-text;q=2, text/plain;q=0.1"], .text), (["openmetrics-text, ,;q=1,/"], .text),
        ] as [([String], MetricFormat)]) func theFormatThatIsAskedFor(accept: [String], format: MetricFormat)
    {
        #expect(MetricFormat(accept: accept) == format)
    }
}
