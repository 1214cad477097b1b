import HTTPServer
import Testing

@Suite struct TargetTests {

    private func target(_ raw: String, _ method: String = "GET") throws -> (status: Int, target: Target?) {
        let recorder = Recorder<Target>()
        let note: Server.Authorize = { request, _ in
            recorder.record(request.target)
            return Response(status: 204)
        }
        var status = 0
        try withServer([], authorize: note) { _, address in
            status = try RawClient(address).get(raw, method: method).status
        }
        return (status, recorder.all.first)
    }

    @Test(arguments: [
        ("/", [""]), ("/a/b", ["a", "b"]), ("/a/", ["a", ""]), ("/a%2Fb/c", ["a/b", "c"]),
        ("/a%2fb", ["a/b"]), ("/a%00b", ["a\0b"]), ("/%C3%A9", ["é"]), ("/%252F", ["%2F"]), ("/a+b", ["a+b"]),
        ("/%3F", ["?"]), ("/../x", ["..", "x"]), ("http://h/a", ["a"]), ("HTTP://h:80", [""]),
        ("http://h?q", [""]), ("//a", ["", "a"]),
    ])
    func segmentsAreDecodedOnce(_ raw: String, _ expected: [String]) throws {
        #expect(try target(raw).target?.segments == expected)
    }

    @Test(arguments: [
        "/%zz", "/%2", "/%", "/%C0%AF", "/%ED%A0%80", "/%FF", "/a?x=%zz", "/a?x=%C0%AF", "/a#b", "/a b", "a",
        "*", "?x", "http://", "http:///a", "ftp://h/a", "/é",
    ])
    func malformedTargetsAreRefused(_ raw: String) throws {
        let result = try target(raw)
        #expect(result.status == 400)
        #expect(result.target == nil)
    }

    @Test func queryIsDecodedAfterSplitting() throws {
        let target = try #require(try target("/a?x=1&y=a%26b+c&x=2&flag&=v&%3D=%2B").target)
        #expect(target.rawPath == "/a")
        #expect(target.rawQuery == "x=1&y=a%26b+c&x=2&flag&=v&%3D=%2B")
        #expect(target.query.map(\.name) == ["x", "y", "x", "flag", "", "="])
        #expect(target.query.map(\.value) == ["1", "a&b c", "2", "", "v", "+"])
        #expect(target.query("x") == "1")
        #expect(target.query("z") == nil)
    }
}
