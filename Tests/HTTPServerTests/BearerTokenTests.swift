import HTTPServer
import Testing

@Suite struct BearerTokenTests {
    private func token(_ headers: String) throws -> BearerToken? {
        let found = Recorder<BearerToken>()
        let note: Server.Authorize = { request, _ in
            found.record(request.headers.bearerToken)
            return Response(status: 204)
        }
        try withServer([], authorize: note) { _, address in
            let answer = try RawClient(address).get("/", headers: headers)
            #expect(answer.status == 204)
        }
        return found.all.first
    }

    @Test(arguments: ["Bearer abc", "bearer abc", "BEARER abc", "Bearer abc "])
    func aTokenIsHashed(_ value: String) throws {
        #expect(try token("Authorization: \(value)\r\n") == .digest(SHA256Digest(of: "abc")))
    }

    @Test func everyTokenCharacterIsTaken() throws {
        let all = "ABCxyz019-._~+/=="
        #expect(try token("authorization: Bearer \(all)\r\n") == .digest(SHA256Digest(of: all)))
    }

    @Test(arguments: [
        "Basic abc", "Bearer", "Bearer  abc", "Bearer a b", "Bearer a=b", "Bearer =", "Bearer a,b",
        "Bearerabc",
        "Bearer\tabc", "Bearer \u{E9}", "",
    ])
    func anythingElseIsMalformed(_ value: String) throws {
        #expect(try token("Authorization: \(value)\r\n") == .malformed)
    }

    @Test func twoAreMalformedAndNoneIsAbsent() throws {
        #expect(try token("Authorization: Bearer a\r\nAuthorization: Bearer a\r\n") == .malformed)
        #expect(try token("") == .absent)
    }

    /// FIPS 180-4's examples.
    @Test(arguments: [
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func digests(_ text: String, _ hex: String) {
        let digits = Array("0123456789abcdef")
        let bytes = SHA256Digest(of: text).bytes
        #expect(String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }) == hex)
        #expect(SHA256Digest(bytes: bytes) == SHA256Digest(of: text))
        #expect(SHA256Digest(bytes: Array(bytes.dropLast())) == nil)
    }

    @Test func digestsDifferInAnyByte() {
        let bytes = SHA256Digest(of: "a").bytes
        for index in bytes.indices {
            var other = bytes
            other[index] ^= 1
            #expect(SHA256Digest(bytes: other) != SHA256Digest(bytes: bytes))
        }
    }

    @Test func randomTokensAreNewAndCanBeSent() throws {
        let tokens = (0..<1000).map { _ in BearerToken.random(prefix: "tnl_") }
        #expect(Set(tokens).count == 1000)
        #expect(tokens.allSatisfy { $0.hasPrefix("tnl_") && $0.utf8.count == 47 })
        #expect(try token("Authorization: Bearer \(tokens[0])\r\n") == .digest(SHA256Digest(of: tokens[0])))
    }
}
