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
                writer.member("h", 2.5)
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
        #expect(written { $0.member(text, 0) } == expected + ":0")
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
            let exact = Double(bitPattern: random.next())
            let rounded = Double(random.next() >> UInt64(random.next() % 50 + 14)) / 1000
            for value in [exact, rounded] where value.isFinite {
                let text = written { $0.value(value) }
                #expect(Double(text) == value)
                #expect(text.count <= value.description.count, "\(text)")
            }
        }
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
