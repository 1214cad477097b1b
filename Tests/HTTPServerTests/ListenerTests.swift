import Glibc
import HTTPServer
import Testing

@Suite struct ListenerTests {
    private let who = Route(.get, "/who") { request in
        switch request.peer {
        case .tcp(let address, let port): .response(text("\(address) \(port > 0)"))
        case .unix(let uid, let gid, let pid): .response(text("\(uid) \(gid) \(pid)"))
        }
    }

    private func server() throws -> Server { try Server(router: Router([who]), logger: silent) }

    @Test(arguments: [
        ("127.0.0.1:8080", ListenAddress.tcp(address: "127.0.0.1", port: 8080)),
        ("[::1]:0", .tcp(address: "::1", port: 0)), ("0.0.0.0:65535", .tcp(address: "0.0.0.0", port: 65535)),
        ("unix:/run/x.sock", .unix(path: "/run/x.sock")), ("unix:x.sock", .unix(path: "x.sock")),
    ])
    func addressesAreRead(_ text: String, _ address: ListenAddress) throws {
        #expect(try ListenAddress(text) == address)
        #expect("\(address)" == text)
    }

    @Test(arguments: [
        "", "8080", "localhost:80", "127.0.0.1", "127.0.0.1:65536", "127.0.0.1:", "::1:80", "[127.0.0.1]:80",
        "unix:", "1.2.3:80", "127.0.0.1:-1", "127.0.0.1:+80",
    ])
    func otherTextsAreNot(_ text: String) {
        #expect(throws: ListenError.self) { try ListenAddress(text) }
    }

    @Test func bothFamiliesAndUnixServeAtOnce() throws {
        let directory = try TemporaryDirectory()
        let server = try server()
        defer { server.stop() }
        let ipv4 = try server.listen(on: ListenAddress("127.0.0.1:0"))
        let ipv6 = try server.listen(on: ListenAddress("[::1]:0"))
        let unix = try server.listen(on: .unix(path: directory.path + "/s"))
        #expect(try RawClient(ipv4).get("/who").text == "127.0.0.1 true")
        #expect(try RawClient(ipv6).get("/who").text == "::1 true")
        #expect(try RawClient(unix).get("/who").text == "\(getuid()) \(getgid()) \(getpid())")
    }

    @Test func aPortInUseIsSaid() throws {
        let first = try server()
        defer { first.stop() }
        let address = try first.listen(on: ListenAddress("127.0.0.1:0"))
        let second = try server()
        defer { second.stop() }
        let error = #expect(throws: ListenError.addressInUse(address)) { try second.listen(on: address) }
        #expect("\(error.map(String.init(describing:)) ?? "")".contains("\(address)"))
        // Once the first has stopped, its port can be had at once.
        #expect(try RawClient(address).get("/who").status == 200)
        first.stop()
        #expect(try second.listen(on: address) == address)
    }

    @Test func anAddressOfNobodyIsSaid() throws {
        let server = try server()
        defer { server.stop() }
        let address = try ListenAddress("192.0.2.1:0")
        #expect(throws: ListenError.addressNotAvailable(address)) { try server.listen(on: address) }
    }

    @Test func aUnixSocketHasItsModeAndGoesWithTheServer() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/s"
        let server = try server()
        try server.listen(on: .unix(path: path), socketGroup: "root")
        var status = stat()
        #expect(lstat(path, &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o660)
        #expect(status.st_gid == 0)
        server.stop()
        #expect(directory.entries == [])
        #expect(throws: ListenError.stopped) { try server.listen(on: .unix(path: path)) }
    }

    @Test func aLiveSocketIsLeftAloneAndAStaleOneReplaced() throws {
        let directory = try TemporaryDirectory()
        let address = ListenAddress.unix(path: directory.path + "/s")
        let first = try server()
        try first.listen(on: address)
        let second = try server()
        defer { second.stop() }
        #expect(throws: ListenError.addressInUse(address)) { try second.listen(on: address) }
        #expect(try RawClient(address).get("/who").status == 200)
        first.stop()

        // What a server that was killed leaves behind.
        let dead = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: (directory.path + "/s").utf8) }
        let bound = withUnsafeBytes(of: name) {
            bind(dead, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        }
        #expect(bound == 0)
        close(dead)
        try second.listen(on: address)
        #expect(try RawClient(address).get("/who").status == 200)
    }

    @Test func aStoppedServerLeavesItsSuccessorsSocket() throws {
        let directory = try TemporaryDirectory()
        let address = ListenAddress.unix(path: directory.path + "/s")
        let first = try server()
        try first.listen(on: address)
        unlink(directory.path + "/s")
        let second = try server()
        defer { second.stop() }
        try second.listen(on: address)
        first.stop()
        #expect(try RawClient(address).get("/who").status == 200)
    }

    @Test func whatStandsInTheWayIsSaid() throws {
        let directory = try TemporaryDirectory()
        let server = try server()
        defer { server.stop() }
        let file = directory.path + "/file"
        close(open(file, O_CREAT | O_WRONLY, 0o600))
        #expect(throws: ListenError.notASocket(path: file)) { try server.listen(on: .unix(path: file)) }
        let missing = directory.path + "/no/s"
        #expect(throws: ListenError.noSuchDirectory(path: missing)) {
            try server.listen(on: .unix(path: missing))
        }
        let long = directory.path + "/" + String(repeating: "s", count: 120)
        #expect(throws: ListenError.pathTooLong(path: long, limitBytes: 107)) {
            try server.listen(on: .unix(path: long))
        }
        #expect(throws: ListenError.noSuchGroup("no-such-group")) {
            try server.listen(on: .unix(path: directory.path + "/s"), socketGroup: "no-such-group")
        }
        #expect(directory.entries == ["file"])
    }

    @Test func groupsAreLookedUp() {
        #expect(SystemGroup.id(named: "root") == 0)
        #expect(SystemGroup.id(named: "no-such-group") == nil)
        #expect(SystemGroup.contains(user: 0, group: "root"))
        #expect(!SystemGroup.contains(user: 0, group: "no-such-group"))
        #expect(!SystemGroup.contains(user: 4_000_000_000, group: "root"))
        #expect(!SystemGroup.contains(user: 1, group: "root"))
    }
}
