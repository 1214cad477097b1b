import Testing

@testable import TunnelAPI

@Suite struct JSONReaderTests {
    private func read(_ text: String) throws(JSONError) -> JSONValue {
        try JSONReader.read(Array(text.utf8))
    }

    @Test(
        arguments: [
            ("null", .null),
            (" \t\r\n true ", .bool(true)),
            ("false", .bool(false)),
            (#""""#, .string("")),
            ("[]", .array([])),
            ("{ }", .object([:])),
            ("[1, 2,3 ]", .array([.integer(1), .integer(2), .integer(3)])),
            (
                #"{"a": {"b": [null]}, "c": ""}"#,
                .object(["a": .object(["b": .array([.null])]), "c": .string("")])
            ),
            (#"{"":0}"#, .object(["": .integer(0)])),
        ] as [(String, JSONValue)])
    func structure(text: String, expected: JSONValue) throws {
        #expect(try read(text) == expected)
    }

    @Test(
        arguments: [
            ("0", 0), ("-0", 0), ("0.0e5", 0), ("0e999999999999", 0), ("1.0", 1), ("1e2", 100), ("10e-1", 1),
            ("1.50e1", 15), ("-120e-1", -12), ("1200.000", 1200),
            ("9223372036854775807", .max), ("-9223372036854775808", .min), ("922337203685477580700e-2", .max),
            ("0.00000000000000000000000000001e29", 1),
        ] as [(String, Int64)])
    func wholeNumbersAreExact(text: String, expected: Int64) throws {
        #expect(try read(text) == .integer(expected))
    }

    @Test(
        arguments: [
            ("0.5", 0.5), ("-1.25e-3", -0.00125), ("9223372036854775808", 9_223_372_036_854_775_808),
            ("1e19", 1e19), ("1e308", 1e308), ("1E+2000000e", nil),
            ("18446744073709551616", 18_446_744_073_709_551_616),
        ] as [(String, Double?)])
    func otherNumbersAreDoubles(text: String, expected: Double?) throws {
        let value = try? read(text)
        #expect(value == expected.map(JSONValue.double))
    }

    @Test(arguments: [
        (#""a\"\\\/\b\f\n\r\tz""#, "a\"\\/\u{8}\u{C}\n\r\tz"),
        (#""\u00e9\u20AC""#, "é€"),
        (#""\ud83d\uDE00""#, "😀"),
        (#""é€😀""#, "é€😀"),
        (#""\u0000""#, "\0"),
        (#""\uffff""#, "\u{FFFF}"),
    ])
    func strings(text: String, expected: String) throws {
        guard case .string(let value) = try read(text) else {
            Issue.record("not a string")
            return
        }
        #expect(Array(value.utf8) == Array(expected.utf8))
    }

    @Test(arguments: [
        ("", 0, "ends where a value"), ("  ", 2, "ends where a value"), ("nul", 0, "null"),
        ("True", 0, "a value"),
        ("[1,]", 3, "a value"), ("[1", 2, "']'"), ("[1 2]", 3, "','"), ("{\"a\":1,}", 7, "name in quotes"),
        ("{\"a\" 1}", 5, "':'"), ("{\"a\":1", 6, "'}'"), ("{a:1}", 1, "name in quotes"), ("{1:1}", 1, "name"),
        ("1 2", 2, "end here"), ("nullx", 4, "end here"), ("[]]", 2, "end here"),
        ("01", 0, "leading zeros"), ("-01", 0, "leading zeros"), ("-", 1, "digit"), ("+1", 0, "a value"),
        ("1.", 2, "digit"), (".5", 0, "a value"), ("1e", 2, "digit"), ("1e+", 3, "digit"),
        ("1e400", 0, "too large"),
        ("NaN", 0, "a value"), ("Infinity", 0, "a value"),
        ("\"a", 0, "closing quote"), ("\"\\", 1, "escape"), ("\"\\x\"", 1, "escape"),
        ("\"\n\"", 1, "control"),
        ("\"\\u12g4\"", 1, "hexadecimal"), ("\"\\u12", 1, "hexadecimal"),
        ("\"\\ud800\"", 1, "surrogate"), ("\"\\udc00\"", 1, "surrogate"),
        ("\"\\ud800\\u0041\"", 1, "surrogate"),
        ("\"\\ud800\\ud800\"", 1, "surrogate"), ("\"\\ud800\\n\"", 1, "surrogate"),
        ("{\"a\":1, \"\\u0061\":2}", 8, "twice"), ("/**/1", 0, "a value"), ("'a'", 0, "a value"),
    ])
    func errorsSayWhereAndWhat(text: String, offset: Int, words: String) {
        let error = #expect(throws: JSONError.self) { try read(text) }
        #expect(error?.offset == offset)
        #expect(error?.detail.contains(words) == true, "\(error?.detail ?? "")")
    }

    @Test(
        arguments: [
            ([0x22, 0xFF, 0x22], 1), ([0x22, 0xC0, 0x80, 0x22], 1), ([0x22, 0xED, 0xA0, 0x80, 0x22], 1),
            ([0x22, 0x41, 0xF4, 0x90, 0x80, 0x80, 0x22], 2), ([0x22, 0xE2, 0x82], 1),
            ([0xEF, 0xBB, 0xBF, 0x31], 0),
            ([0x80], 0),
        ] as [([UInt8], Int)])
    func bytesThatAreNotUTF8(bytes: [UInt8], offset: Int) {
        let error = #expect(throws: JSONError.self) { try JSONReader.read(bytes) }
        #expect(error?.offset == offset)
    }

    @Test func depthIsBounded() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        _ = try read(nested(16))
        let error = #expect(throws: JSONError.self) { try read(nested(17)) }
        #expect(error?.offset == 16)
        #expect(throws: JSONError.self) { try read(String(repeating: "{\"a\":", count: 100_000)) }
        // Depth counts what is open, not what was.
        _ = try read("[" + String(repeating: "[],{},", count: 100) + "0]")
    }

    @Test func longTextsAreReadOrRefused() throws {
        let long = String(repeating: "x\\n", count: 300_000)
        #expect(try read("\"\(long)\"") == .string(long.replacing("\\n", with: "\n")))
        #expect(throws: JSONError.self) { try read("0." + String(repeating: "3", count: 1_000_000)) }
        #expect(try read("1" + String(repeating: "0", count: 1_000_000) + "e-1000000") == .integer(1))
    }

    private func rewritten(_ value: JSONValue) throws(JSONError) -> JSONValue {
        var writer = JSONWriter()
        writer.value(value)
        return try JSONReader.read(writer.bytes)
    }

    /// No bytes make the reader trap, and what it reads survives being written and read again.
    @Test func mutatedTextsAreReadOrRefused() throws {
        let seeds = [
            #"{"name":"tun_a","remote":"172.16.1.62","routes":[{"to":"10.20.0.0/16","metric":1.0e2}],"mtu":null}"#,
            #"["\ud83d\ude00 \u00e9 é😀","\\\"",-12.5e-3,9223372036854775807,true,false,null,[[{"":[]}]]]"#,
            #"{"labels":{"site":"a","rôle":"b"},"comment":"a\tb","ttl":"inherit","tos":0,"x":[1,[2,[3,[4]]]]}"#,
        ].map { Array($0.utf8) }
        let interesting =
            Array("{}[]:,\"\\u0123456789abcdefDd-+.eE \n".utf8) + [0, 0x7F, 0x80, 0xC3, 0xED, 0xF4, 0xFF]
        var random = SplitMix(state: 7)
        var accepted = 0
        for round in 0..<100_000 {
            var bytes = seeds[round % seeds.count]
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let position = Int.random(in: 0..<bytes.count, using: &random)
                switch random.next() % 5 {
                case 0: bytes[position] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes[position] = interesting[Int.random(in: 0..<interesting.count, using: &random)]
                case 2: bytes.remove(at: position)
                case 3:
                    bytes.insert(
                        interesting[Int.random(in: 0..<interesting.count, using: &random)], at: position)
                default: bytes.removeSubrange(position..<min(bytes.count, position + 5))
                }
                if bytes.isEmpty { bytes = [0x20] }
            }
            do throws(JSONError) {
                let value = try JSONReader.read(bytes)
                accepted += 1
                // The first time over, a double that was rounded to a whole number becomes an integer.
                let again = try rewritten(value)
                #expect(try rewritten(again) == again)
            } catch {
                #expect((0...bytes.count).contains(error.offset), "\(error) in \(bytes)")
            }
        }
        #expect(accepted > 5000 && accepted < 95_000)
    }
}

/// A seeded generator (SplitMix64), so that a failure comes again.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
