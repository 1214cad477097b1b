import ModelHost
import Testing
import Tunnels

@Suite struct NameTests {
    @Test(arguments: [
        "a", "tun_a", "0", "_x", "eth0.100", "a-b", "T", "123456789012345", "lo0", "tunl1", "All",
    ])
    func aNameIsTakenAsItIs(_ text: String) throws {
        #expect(try InterfaceName(text).text == text)
    }

    @Test(arguments: [
        ("", InterfaceName.Problem.empty), ("1234567890123456", .tooLong), ("ääääääää", .tooLong),
        ("a b", .badCharacter), ("a/b", .badCharacter), ("tun%d", .badCharacter), ("a:1", .badCharacter),
        ("a@b", .badCharacter), ("-a", .badCharacter), (".", .badCharacter), ("..", .badCharacter),
        (".a", .badCharacter), ("ä", .badCharacter), ("a\0", .badCharacter), ("a\n", .badCharacter),
        ("tun\u{301}", .badCharacter), ("lo", .reserved), ("tunl0", .reserved), ("all", .reserved),
        ("default", .reserved),
    ])
    func whatIsNoNameIsRefusedWithItsReason(_ text: String, _ problem: InterfaceName.Problem) {
        #expect(throws: problem) { try InterfaceName(text) }
    }

    @Test func namesAreOrderedByTheirBytes() throws {
        let names = ["tun_b", "Tun", "tun-a", "tun_a", "tun10", "tun9"]
        let sorted = try names.map { try InterfaceName($0) }.sorted().map(\.text)
        #expect(sorted == ["Tun", "tun-a", "tun10", "tun9", "tun_a", "tun_b"])
    }
}

@Suite struct IDTests {
    @Test func anIDIsAVersion7UUID() {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<1000 {
            let text = TunnelID(at: now, using: &generator).text
            #expect(text.hasPrefix("018bcfe5-687b-7"))
            #expect("89ab".contains(Array(text)[19]))
            #expect(TunnelID(text)?.text == text)
        }
    }

    @Test func idsSortByTheTimeOfCreation() {
        var generator = SeededGenerator(seed: 2)
        let times: [Int64] = [0, 1, 255, 256, 1_700_000_000_123, 1_700_000_000_124, 1 << 47]
        let ids = times.map { TunnelID(at: Timestamp(milliseconds: $0), using: &generator).text }
        #expect(ids == ids.sorted())
        #expect(ids[0].hasPrefix("00000000-0000-7"))
    }

    @Test func idsMadeTogetherSortInTheirOrder() throws {
        var generator = SeededGenerator(seed: 3)
        let first = TunnelID(at: now, using: &generator)
        var ids = [first]
        while let next = ids[ids.count - 1].successor { ids.append(next) }
        #expect(ids.count == 4096)
        #expect(ids.map(\.text) == ids.map(\.text).sorted())
        #expect(ids == ids.sorted())
        #expect(ids.allSatisfy { $0.text.hasPrefix("018bcfe5-687b-7") && $0.text.hasSuffix(first.text.suffix(18)) })
        #expect(try #require(ids.last) < TunnelID(at: Timestamp(milliseconds: now.milliseconds + 1), using: &generator))
    }

    @Test(arguments: [
        "", "018bcfe5-687b-7000-8000-00000000000", "018bcfe5-687b-7000-8000-0000000000000",
        "018BCFE5-687B-7000-8000-000000000000", "018bcfe5687b70008000000000000000",
        "{18bcfe5-687b-7000-8000-000000000000",
        "018bcfe5-687b-7000-8000-00000000000g", "018bcfe56-87b-7000-8000-000000000000",
        "------------------------------------",
    ])
    func anotherFormIsNoID(_ text: String) {
        #expect(TunnelID(text) == nil)
    }
}

@Suite struct TimestampTests {
    /// As `date -u -d @SECONDS +%FT%TZ` prints them.
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"), (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (4_107_456_000_000, "2100-02-28T00:00:00.000Z"),
            (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
        ] as [(Int64, String)])
    func aTimeIsPrintedAsRFC3339(_ milliseconds: Int64, _ text: String) {
        #expect(Timestamp(milliseconds: milliseconds).description == text)
    }

    @Test func eachDayOfFourCenturiesFollowsTheOneBefore() {
        var (year, month, day) = (1900, 1, 1)
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        var wrong = 0
        for number in 0..<146_097 {
            let time = Timestamp(milliseconds: (Int64(number) - 25_567) * 86_400_000)
            func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
            if time.description != "\(year)-\(two(month))-\(two(day))T00:00:00.000Z" { wrong += 1 }
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            day += 1
            if day > lengths[month - 1] + (month == 2 && isLeap ? 1 : 0) { (month, day) = (month + 1, 1) }
            if month > 12 { (year, month) = (year + 1, 1) }
        }
        #expect(wrong == 0)
        #expect(year == 2300)
    }
}
