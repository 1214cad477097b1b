import Testing

@testable import TunnelAPI

@Suite struct YAMLReaderTests {
    private func read(_ text: String) throws -> JSONValue { try YAMLReader.read(Array(text.utf8)) }

    private func refusal(_ text: String) -> YAMLError? {
        do throws(YAMLError) {
            _ = try YAMLReader.read(Array(text.utf8))
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [
        ("no", JSONValue.string("no")), ("yes", .string("yes")), ("off", .string("off")), ("y", .string("y")),
        ("true", .bool(true)), ("False", .bool(false)), ("null", .null), ("~", .null), ("''", .string("")),
        ("12", .integer(12)), ("+12", .integer(12)), ("-0", .integer(0)), ("0", .integer(0)), ("0o17", .integer(15)),
        ("0x1F", .integer(31)), ("1.5", .double(1.5)), ("1.", .integer(1)), (".5", .double(0.5)),
        ("-.5", .double(-0.5)),
        ("1e3", .integer(1000)), ("1.e2", .integer(100)), ("1_000", .string("1_000")),
        ("12:30:45", .string("12:30:45")),
        ("0b11", .string("0b11")), ("0x", .string("0x")), ("172.16.1.62", .string("172.16.1.62")),
        ("10.0.0.0/8", .string("10.0.0.0/8")), ("2026-01-01", .string("2026-01-01")), ("1e", .string("1e")),
        (".", .string(".")), ("'010'", .string("010")), ("\"1\"", .string("1")),
        ("\"a\\nb\"", .string("a\nb")), ("R&D *x &y", .string("R&D *x &y")),
    ])
    func scalarsAreThoseOfTheCoreSchema(_ text: String, _ value: JSONValue) throws {
        #expect(try read(text) == value)
        #expect(try read("a: \(text)") == .object(["a": value]))
    }

    @Test(arguments: ["010", "-010", "00", "007.5", "0777"])
    func leadingZerosAreRefused(_ text: String) {
        #expect(refusal("a: \(text)")?.detail.contains("leading zeros") == true)
    }

    @Test func keysAreTexts() throws {
        #expect(
            try read("no: 1\n5: 2\n'true': 3") == .object(["no": .integer(1), "5": .integer(2), "true": .integer(3)]))
    }

    @Test func nestedFormsAreOne() throws {
        let value = JSONValue.object(["a": .array([.object(["b": .integer(1)]), .array([])]), "c": .object([:])])
        #expect(try read("a:\n- b: 1\n- []\nc: {}") == value)
        #expect(try read("{a: [{b: 1}, []], c: {}}") == value)
        #expect(try read(#"{"a": [{"b": 1}, []], "c": {}}"#) == value)
        #expect(try read("---\na:\n  -\n    b: 1\n  - []\nc: {} # end\n...\n") == value)
    }

    @Test(arguments: [
        ("a: &x 1\nb: *x", "anchors and aliases"), ("a: &x 1", "anchors and aliases"), ("*x", "alias"),
        ("a: !!str 5", "tags"), ("a: !mine {}", "tags"), ("a: !!seq []", "tags"), ("!!map {a: 1}", "tags"),
        ("<<: {a: 1}", "merge keys"), ("? [a]\n: 1", "a key is a plain text"), ("a: 1\na: 2", "twice"),
        ("'a': 1\na: 2", "twice"), ("a: 1\n---\nb: 2", "second document"), ("", "empty"), ("# only\n", "empty"),
        ("a: [1", ""), ("a: b: c", ""), ("a:\n\t- 1", ""), ("%YAML 3.0\n---\na", ""), (".inf", "finite"),
        ("a: 1e999", "large"), ("a: 0x1FFFFFFFFFFFFFFFF", "large"),
    ])
    func whatMeansMoreThanItShowsIsRefused(_ text: String, _ words: String) {
        let error = refusal(text)
        #expect(error != nil, "\(text)")
        #expect(error?.detail.contains(words) == true, "\(error.map { "\($0)" } ?? "")")
    }

    @Test func placesAreTold() {
        #expect(refusal("a: 1\nb:\n  c: 010").map { [$0.line, $0.column] } == [3, 6])
        #expect(refusal("a: 1\nb: [")?.line ?? 0 >= 2)
        #expect(refusal("a: 1\nb: &x 2\nc: *x")?.line == 3)
    }

    @Test func bytesThatAreNoTextAreRefused() {
        #expect(throws: YAMLError.self) { try YAMLReader.read([0x61, 0x3A, 0x20, 0xFF]) }
        #expect(refusal("a: \u{0}") != nil)
    }

    /// A billion texts in nine lines, as values and as keys.
    @Test func aliasesThatBlowUpAreRefusedAtOnce() {
        var bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<9 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            bomb += "a\(level): &a\(level) [\(aliases)]\n"
        }
        #expect(refusal(bomb)?.detail.contains("aliases") == true)
        #expect(refusal(bomb + "? *a8\n: 1\n? *a8\n: 2\n")?.detail.contains("aliases") == true)
    }

    /// What looks like a comment before each line's anchor, line ends that only YAML knows, and a name's end.
    @Test(arguments: ["'x #', ", "\u{2028}", "\u{85}", "\"\\\" #\", "])
    func aliasesAreFoundWhereverTheyStand(_ before: String) {
        var bomb = "[\(before)&a0 [x, x, x, x, x, x, x, x, x],\n"
        for level in 1..<9 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            bomb += "\(before)&a\(level) [\(aliases)],\n"
        }
        #expect(refusal(bomb + "\(before){? *a8 : 1}]")?.detail.contains("aliases") == true)
        #expect(refusal("[\(before)&a? [1], *a]")?.detail.contains("aliases") == true)
        #expect(refusal("{?&a [1] : 1, b: *a}")?.detail.contains("aliases") == true)
    }

    /// Each would be compared with others, level by level.
    @Test(arguments: [
        "? [a]\n: b", "{? [a] : b}", "{?[a] : b}", "[[a]: b]", "{{a: b}: c}", "[? a]", "[{a: b} \t: c]", "x: [a,\n? b]",
        "\u{2028}? [a]\n: b", "[1]\u{85}: b", "- ? a", "{a: b}: c",
    ])
    func aKeyIsAPlainText(_ text: String) {
        #expect(refusal(text)?.detail.contains("a key is a plain text") == true)
    }

    @Test func deepKeysCostNothing() {
        let nested = String(repeating: "[? ", count: 480) + "x" + String(repeating: "]", count: 480)
        #expect(refusal("[" + Array(repeating: nested, count: 1000).joined(separator: ",") + "]") != nil)
    }

    @Test func questionsAndColonsInTexts() throws {
        let text = #"{"comment": "why? because: 10.0.0.1:80, see http://h/?a=b", "b": [1], "c": {"d": 2}}"#
        #expect(try YAMLReader.read(Array(text.utf8)) == JSONReader.read(Array(text.utf8)))
    }

    @Test func aLargeTextIsRefused() {
        #expect(refusal("# " + String(repeating: "x", count: 4 << 20))?.detail.contains("4 MiB") == true)
    }

    @Test(arguments: [20, 999, 100_000])
    func deepNestingIsRefused(_ depth: Int) {
        #expect(refusal(String(repeating: "[", count: depth) + String(repeating: "]", count: depth)) != nil)
        #expect(refusal(String(repeating: "- ", count: depth) + "x") != nil)
        #expect(refusal(String(repeating: "{a: ", count: depth) + "1" + String(repeating: "}", count: depth)) != nil)
    }
}
