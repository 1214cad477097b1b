import Testing
import Tunnels

@testable import TunnelAPI

@Suite struct TunnelPatchTests {
    private func read(_ text: String) throws -> JSONValue { try JSONReader.read(Array(text.utf8)) }

    private func sample() throws -> TunnelDefinition {
        let text = """
            {"name": "tun_a", "remote": "172.16.1.62", "local": "172.16.16.22", "addresses": ["192.168.1.1/24"],
             "routes": [{"to": "10.20.0.0/16", "metric": 100}], "mtu": 1400, "ttl": 64, "tos": 4, "underlay": "eth0",
             "fwmark": 7, "enabled": false, "labels": {"site": "a", "rack": "1"}, "comment": "x"}
            """
        return try TunnelBody(read(text)).definition
    }

    /// RFC 7396, appendix A.
    @Test(arguments: [
        (#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"b"}"#, #"{"b":"c"}"#, #"{"a":"b","b":"c"}"#),
        (#"{"a":"b"}"#, #"{"a":null}"#, "{}"), (#"{"a":"b","b":"c"}"#, #"{"a":null}"#, #"{"b":"c"}"#),
        (#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"c"}"#, #"{"a":["b"]}"#, #"{"a":["b"]}"#),
        (#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#),
        (#"{"a":[{"b":"c"}]}"#, #"{"a":[1]}"#, #"{"a":[1]}"#), (#"["a","b"]"#, #"["c","d"]"#, #"["c","d"]"#),
        (#"{"a":"b"}"#, #"["c"]"#, #"["c"]"#), (#"{"a":"foo"}"#, "null", "null"),
        (#"{"a":"foo"}"#, #""bar""#, #""bar""#),
        (#"{"e":null}"#, #"{"a":1}"#, #"{"e":null,"a":1}"#), ("[1,2]", #"{"a":"b","c":null}"#, #"{"a":"b"}"#),
        ("{}", #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
    ])
    func examplesOfTheRFC(target: String, patch: String, result: String) throws {
        #expect(try read(target).merged(with: read(patch)) == read(result))
    }

    @Test func anEmptyPatchChangesNothing() throws {
        let definition = try sample()
        #expect(try TunnelPatch(read("{}")).applied(to: definition) == definition)
    }

    @Test func membersChangeAndNullBringsDefaultsBack() throws {
        let patch = try TunnelPatch(
            read(
                """
                {"name": "tun_b", "local": null, "mtu": null, "ttl": null, "tos": null, "underlay": null,
                 "fwmark": null, "enabled": null, "labels": {"site": null, "row": "2"}, "routes": null,
                 "addresses": ["10.0.0.1/8"], "comment": "y", "revision": 4, "id": "x", "status": {}}
                """))
        #expect(patch.revision == 4)
        var expected = TunnelDefinition(name: try InterfaceName("tun_b"), remote: IPv4Address(172, 16, 1, 62))
        expected.addresses = [InterfaceAddress(local: IPv4Address(10, 0, 0, 1), prefixLength: 8)]
        expected.labels = ["rack": "1", "row": "2"]
        expected.comment = "y"
        #expect(try patch.applied(to: sample()) == expected)
    }

    @Test(arguments: [
        (#"{"colour": null}"#, ["/colour"]), (#"{"revision": null}"#, ["/revision"]), ("[]", [""]),
        ("null", [""]),
    ])
    func refusedAtOnce(patch: String, pointers: [String]) throws {
        let refusal = #expect(throws: BodyRefusal.self) { try TunnelPatch(read(patch)) }
        guard case .shape = refusal else {
            Issue.record("not shape")
            return
        }
        #expect(refusal?.violations.map(\.pointer) == pointers)
    }

    @Test(arguments: [
        (#"{"name": null}"#, ["/name"], true), (#"{"remote": null, "mtu": "5"}"#, ["/remote", "/mtu"], true),
        (#"{"remote": "172.16.16.22"}"#, ["/remote"], false), (#"{"pmtudisc": false}"#, ["/ttl"], false),
        (#"{"labels": {"a": 1}}"#, ["/labels/a"], true), (#"{"underlay": "tun_a"}"#, ["/underlay"], false),
    ])
    func refusedOnTheTunnel(patch: String, pointers: [String], isShape: Bool) throws {
        let patch = try TunnelPatch(read(patch))
        let refusal = #expect(throws: BodyRefusal.self) { try patch.applied(to: sample()) }
        #expect(refusal?.violations.map(\.pointer) == pointers)
        if case .shape = refusal { #expect(isShape) } else { #expect(!isShape) }
    }
}
