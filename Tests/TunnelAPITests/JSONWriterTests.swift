import Testing

@testable import TunnelAPI

@Suite struct JSONWriterTests {
    private func written(_ body: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        body(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test func structure() {
        let text = written { writer in
            writer.object { writer in
                writer.member("a", 1)
                writer.array("b", [true, false]) { $0.value($1) }
                writer.array("c", [Int]()) { $0.value($1) }
                writer.object("d") { $0.member("e", nil as String?) }
                writer.object("f") { _ in }
                writer.member("g", "x" as String?)
                writer.member("h", toThousandths: 2.5)
            }
        }
        #expect(text == #"{"a":1,"b":[true,false],"c":[],"d":{"e":null},"f":{},"g":"x","h":2.5}"#)
    }

    @Test(arguments: [
        ("plain", #""plain""#), ("\"\\/", #""\"\\/""#),
        ("\n\r\t\u{8}\0\u{1F}", #""\n\r\t\u0008\u0000\u001f""#),
        ("é€😀\u{7F}\u{2028}", "\"é€😀\u{7F}\u{2028}\""),
    ])
    func strings(text: String, expected: String) {
        #expect(written { $0.value(text) } == expected)
        let member = written { writer in
            writer.key(escaping: text)
            writer.value(0)
        }
        #expect(member == expected + ":0")
    }

    @Test func integers() {
        for value in [0, 1, 9, 10, 99, 100, 1_234_567_890, -1, -10, .max, .min] as [Int64] {
            #expect(written { $0.value(value) } == String(value))
        }
        #expect(written { $0.value(UInt64.max) } == String(UInt64.max))
        #expect(written { $0.value(Int8.min) } == "-128")
    }

    @Test func doublesAreShortestAndFinite() {
        let fixed: [(Double, String)] = [
            (0, "0.0"), (-0.0, "-0.0"), (1, "1.0"), (0.5, "0.5"), (0.1, "0.1"), (1.001, "1.001"),
            (2.01, "2.01"),
            (1e22, "1e+22"), (-2.5, "-2.5"), (.infinity, "null"), (-.infinity, "null"), (.nan, "null"),
            (999_999_999_999.999, "999999999999.999"), (0.30000000000000004, "0.30000000000000004"),
        ]
        for (value, expected) in fixed { #expect(written { $0.value(value) } == expected) }
        var random = SplitMix(state: 1)
        for _ in 0..<50_000 {
            let value = Double(bitPattern: random.next())
            if value.isFinite { #expect(Double(written { $0.value(value) }) == value) }
        }
    }

    @Test(
        arguments: [
            (0, "0.0"), (1, "1.0"), (0.25, "0.25"), (1.0004, "1.0"), (1.0006, "1.001"), (1.01, "1.01"), (1.1, "1.1"),
            (0.9999, "1.0"), (123_456_789.125, "123456789.125"), (1e15, "1000000000000000.0"),
        ] as [(Double, String)])
    func thousandths(value: Double, expected: String) {
        #expect(written { $0.member("a", toThousandths: value) } == "\"a\":" + expected)
    }

    /// What no counter of the kernel leads to is still JSON.
    @Test(arguments: [-1, .infinity, .nan, 1e300] as [Double])
    func thousandthsOfNothing(value: Double) {
        #expect(written { $0.member("a", toThousandths: value) } == "\"a\":0.0")
    }

    @Test func valuesAreReadBack() throws {
        let value = JSONValue.object([
            "b": .array([.null, .bool(true), .integer(-5), .double(0.25)]), "a": .string("\u{1}\"é"),
        ])
        let text = written { $0.value(value) }
        #expect(text == #"{"a":"\u0001\"é","b":[null,true,-5,0.25]}"#)
        #expect(try JSONReader.read(Array(text.utf8)) == value)
    }
}
