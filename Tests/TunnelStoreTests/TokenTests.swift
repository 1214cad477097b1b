import Testing
import Tunnels

@testable import TunnelStore

@Suite struct TokenTests {
    let directory: TemporaryDirectory
    let daemon: TunnelStore
    let command: TunnelStore

    init() throws {
        directory = try TemporaryDirectory()
        daemon = try TunnelStore(path: directory.database)
        command = try TunnelStore(path: directory.database, as: .visitor)
    }

    private func create(_ byte: UInt8, _ scope: Token.Scope = .read) throws -> Token {
        try command.createToken(
            name: "n\(byte)", scope: scope, digest: Array(repeating: byte, count: 32), at: now, by: "uid:0")
    }

    @Test func tokensComeBackAsTheyWere() throws {
        let tokens = try Token.Scope.allCases.enumerated().map { try create(UInt8($0), $1) }
        #expect(try daemon.tokens() == tokens)
        #expect(tokens.map(\.id) == [1, 2, 3])
        #expect(tokens.map(\.digest.first) == [0, 1, 2])
    }

    @Test func theDaemonNoticesWhatTheCommandDoes() throws {
        var version = try daemon.dataVersion()
        func changed() throws -> Bool {
            let before = version
            version = try daemon.dataVersion()
            return version != before
        }
        let token = try create(1)
        #expect(try changed())
        #expect(try !changed())
        try daemon.insert(try tunnel(1))
        #expect(try !changed(), "its own commits aren't news")
        #expect(try command.revokeToken(id: token.id, at: later, by: "uid:0"))
        #expect(try changed())
        #expect(try daemon.tokens().map(\.revokedAt) == [later])
    }

    @Test func aTokenIsRevokedOnce() throws {
        let token = try create(1)
        #expect(try command.revokeToken(id: token.id, at: now, by: "uid:0"))
        #expect(try !command.revokeToken(id: token.id, at: later, by: "uid:0"))
        #expect(try !command.revokeToken(id: 99, at: later, by: "uid:0"))
        #expect(try daemon.tokens().map(\.revokedAt) == [now])
    }

    @Test func whoMadeAndRevokedItIsKept() throws {
        let token = try create(1)
        _ = try command.revokeToken(id: token.id, at: later, by: "uid:1000")
        let subject = Event.Subject.token(id: token.id)
        #expect(
            try daemon.events(after: 0, limit: 10).map(\.event) == [
                Event(at: now, kind: .tokenCreated, subject: subject, actor: "uid:0"),
                Event(at: later, kind: .tokenRevoked, subject: subject, actor: "uid:1000"),
            ])
    }

    @Test func aDigestIsOneTokensAndWhole() throws {
        _ = try create(1)
        #expect(throws: StoreError.self) { try create(1) }
        let error = #expect(throws: StoreError.self) {
            try command.createToken(name: "", scope: .read, digest: [1, 2], at: now, by: "uid:0")
        }
        #expect(error?.code == .constraint)
        #expect(try daemon.tokens().count == 1)
        #expect(try daemon.events(after: 0, limit: 10).count == 1)
    }

    @Test func scopesIncludeTheLesserOnes() {
        #expect(Token.Scope.read < .write)
        #expect(Token.Scope.write < .admin)
    }
}
