import Testing
import Tunnels

@testable import TunnelStore

@Suite struct KeptAnswerTests {
    private let store: TunnelStore

    init() throws {
        store = try .inMemory()
    }

    private func answer(_ key: String, at time: Int64 = 0, bytes: Int = 3, actor: String = "token 1") -> KeptAnswer {
        KeptAnswer(
            actor: actor, key: key, digest: [UInt8](repeating: 7, count: 32), at: Timestamp(milliseconds: time),
            status: 201, headers: [.init(name: "ETag", value: "\"1\""), .init(name: "X", value: "ä")],
            body: [UInt8](repeating: 0xFF, count: bytes))
    }

    private func keep(_ answers: KeptAnswer...) throws {
        try store.write { (transaction) throws(StoreError) in
            for answer in answers { try transaction.keep(answer) }
        }
    }

    @Test func theyComeBackAsTheyWere() throws {
        try keep(answer("a"), answer("a", bytes: 0, actor: "token 2"))
        #expect(try store.answer(to: "a", of: "token 1") == answer("a"))
        #expect(try store.answer(to: "a", of: "token 2") == answer("a", bytes: 0, actor: "token 2"))
        #expect(try store.answer(to: "b", of: "token 1") == nil)
        var newer = answer("a", at: 5, bytes: 9)
        newer.digest[0] = 8
        newer.headers = []
        newer.status = 200
        try keep(newer)
        #expect(try store.answer(to: "a", of: "token 1") == newer)
        #expect(try store.count("answer") == 2)
    }

    @Test func theNewestStay() throws {
        for number in 0..<10 { try keep(answer("\(number)", at: Int64(number), bytes: 100)) }
        func kept() throws -> [Int] { try (0..<10).filter { try store.answer(to: "\($0)", of: "token 1") != nil } }
        try store.pruneAnswers(keeping: 10, bytes: 1000)
        #expect(try kept().count == 10)
        try store.pruneAnswers(keeping: 8, bytes: 1000)
        #expect(try kept() == Array(2..<10))
        try store.pruneAnswers(keeping: 8, bytes: 599)
        #expect(try kept() == Array(5..<10))
        try store.pruneAnswers(before: Timestamp(milliseconds: 7))
        #expect(try kept() == Array(7..<10))
        try store.pruneAnswers(keeping: 0, bytes: 0)
        #expect(try kept() == [])
    }
}
