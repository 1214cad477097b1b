import Synchronization
import Testing
import TunnelStore
import Tunnels

@testable import TunnelAPI

@Suite struct AdoptionRoutesTests {
    private func addByHand(to daemon: Daemon, _ edit: (inout UnmanagedTunnel) -> Void = { _ in }) throws {
        let parameters = LinkParameters(local: nil, remote: IPv4Address(172, 16, 1, 62))
        var found = UnmanagedTunnel(
            ObservedLink(ifindex: 9, name: "by_hand", kind: "ipip", isUp: true, mtu: 1480, parameters: parameters))
        found.addresses = [InterfaceAddress(local: IPv4Address(192, 168, 1, 1), prefixLength: 24)]
        let to = try IPv4Prefix(parsing: "10.20.0.0/16")
        found.routes = [UnmanagedTunnel.Route(TunnelRoute(to: to, metric: 7), protocol: RouteProtocols.boot)]
        found.path = UnderlayPath(ifindex: 2, mtu: 1500, prefixLength: 16)
        edit(&found)
        daemon.kernel.state.withLock { $0.unmanaged["by_hand"] = found }
    }

    @Test func linksAreListedAsTheTunnelsTheyWouldBe() async throws {
        try await withDaemon { daemon in
            try addByHand(to: daemon)
            #expect(try daemon.ask("POST", "/v1/tunnels", #"{"name": "tun_a", "remote": "172.16.1.63"}"#).status == 201)
            let listed = try daemon.ask("GET", "/v1/links?managed=false")
            #expect(listed["items.0.name"] == .string("lo"))
            #expect(listed["items.0.adoption"] == .null)
            #expect(
                listed.text.contains(
                    #""tunnel_id":null,"adoption":{"definition":{"name":"by_hand","kind":"ipip","local":null,"#
                        + #""remote":"172.16.1.62","addresses":["192.168.1.1/24"],"#
                        + #""routes":[{"to":"10.20.0.0/16","metric":7}],"mtu":null,"#))
            #expect(
                listed.text.contains(
                    #""obstacles":[],"changes":[{"field":"group","detail":"0 becomes tunneld's."},"#
                        + #"{"field":"alias","detail":"none becomes tunneld's."},"#
                        + #"{"field":"routes","detail":"10.20.0.0/16 metric 7: protocol 3 becomes 116."}],"unmanaged":[]}"#
                ))
            #expect(listed["items.2"] == nil)
            let managed = try daemon.ask("GET", "/v1/links?managed=true")
            #expect(managed["items.0.name"] == .string("tun_a"))
            #expect(managed["items.1"] == nil)
            #expect(try daemon.ask("GET", "/v1/links")["items.2.name"] == .string("by_hand"))
            try daemon.ask("GET", "/v1/links?managed=1").expect(400, .invalidParameter)
        }
    }

    @Test func aLinkIsAdoptedAndLetGo() async throws {
        try await withDaemon { daemon in
            try addByHand(to: daemon)
            let body = #"{"labels": {"site": "a"}, "comment": "c", "drift_policy": "alert"}"#
            let adopted = try daemon.ask("POST", "/v1/links/by_hand/adopt", body)
            #expect(adopted.status == 201, "\(adopted.text)")
            #expect(adopted.headers["location"] == "/v1/tunnels/by_hand")
            #expect(adopted.headers["etag"] == "\"1\"")
            #expect(adopted["labels.site"] == .string("a"))
            #expect(adopted["comment"] == .string("c"))
            #expect(adopted["drift_policy"] == .string("alert"))
            #expect(adopted["status.state"] == .string("up"))
            #expect(adopted["status.ifindex"] == .integer(9))
            #expect(try daemon.ask("GET", "/v1/tunnels/by_hand").text == adopted.text)
            try daemon.ask("POST", "/v1/links/by_hand/adopt").expect(404, .linkNotFound)
            let stale = ["If-Match: \"2\""]
            try daemon.ask("POST", "/v1/tunnels/by_hand/unmanage", headers: stale).expect(412, .preconditionFailed)
            let gone = try daemon.ask("POST", "/v1/tunnels/by_hand/unmanage", headers: ["If-Match: \"1\""])
            #expect(gone.status == 204 && gone.text.isEmpty)
            try daemon.ask("GET", "/v1/tunnels/by_hand").expect(404, .tunnelNotFound)
            try daemon.ask("POST", "/v1/tunnels/by_hand/unmanage").expect(404, .tunnelNotFound)
        }
    }

    @Test func noBodyIsNeeded() async throws {
        try await withDaemon { daemon in
            try addByHand(to: daemon)
            #expect(try daemon.ask("POST", "/v1/links/by_hand/adopt").status == 201)
        }
    }

    @Test func badBodiesAreRefused() async throws {
        try await withDaemon { daemon in
            try addByHand(to: daemon)
            let path = "/v1/links/by_hand/adopt"
            try daemon.ask("POST", path, #"{"name": "x"}"#).expect(400, .invalidShape)
            try daemon.ask("POST", path, "[]").expect(400, .invalidShape)
            try daemon.ask("POST", path, #"{"drift_policy": "no"}"#).expect(422, .invalidValue)
            try daemon.ask("POST", path, #"{"labels": {"": "x"}}"#).expect(422, .invalidValue)
            try daemon.ask("POST", path, "{}", headers: ["Content-Type: text/plain"]).expect(415, .unsupportedMediaType)
            try daemon.ask("POST", path + "?x=1").expect(400, .invalidParameter)
            #expect(daemon.kernel.state.withLock { $0.unmanaged.count } == 1)
        }
    }

    @Test func obstaclesAreAllTold() async throws {
        try await withDaemon { daemon in
            try addByHand(to: daemon) { $0.peculiarities = [.encapsulation("gue"), .boundElsewhere] }
            let refused = try daemon.ask("POST", "/v1/links/by_hand/adopt")
            refused.expect(409, .notAdoptable)
            #expect(refused["obstacles.0.field"] == .string("encap"))
            #expect(refused["obstacles.1.field"] == .string("local"))
            #expect(try daemon.ask("GET", "/v1/tunnels")["items.0"] == nil)
        }
    }

    @Test func readersChangeNothing() async throws {
        try await withDaemon { daemon in
            let (text, _) = try daemon.createToken(.read)
            let headers = ["Authorization: Bearer \(text)", "Content-Length: 0"]
            for path in ["/v1/links/by_hand/adopt", "/v1/tunnels/by_hand/unmanage"] {
                try send("POST", path, headers: headers, to: daemon.tcp).expect(403, .forbidden)
            }
        }
    }
}
