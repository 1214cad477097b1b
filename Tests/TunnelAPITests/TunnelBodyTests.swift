import Testing
import Tunnels

@testable import TunnelAPI

@Suite struct TunnelBodyTests {
    private func body(_ text: String) throws -> TunnelBody {
        try TunnelBody(JSONReader.read(Array(text.utf8)))
    }

    private func refusal(of text: String) -> BodyRefusal? {
        #expect(throws: BodyRefusal.self) { try body(text) }
    }

    @Test func nameAndRemoteAreEnough() throws {
        let body = try body(#"{"name": "tun_a", "remote": "172.16.1.62"}"#)
        let expected = TunnelDefinition(name: try InterfaceName("tun_a"), remote: IPv4Address(172, 16, 1, 62))
        #expect(body.definition == expected)
        #expect(body.revision == nil)
    }

    @Test func everyField() throws {
        let body = try body(
            """
            {"name": "tun_a", "kind": "ipip", "local": "172.16.16.22", "remote": "172.16.1.62",
             "addresses": ["192.168.1.1/24", "10.0.0.1 peer 10.0.0.2/32"],
             "routes": [{"to": "10.20.0.0/16", "metric": 100}, {"to": "0.0.0.0/0"}],
             "mtu": 1400.0, "ttl": 64, "tos": 8, "pmtudisc": true, "underlay": "eth0", "fwmark": 4294967295,
             "enabled": false, "drift_policy": "alert", "labels": {"site": "a", "x/y": ""}, "comment": "über",
             "revision": 3}
            """)
        var expected = TunnelDefinition(name: try InterfaceName("tun_a"), remote: IPv4Address(172, 16, 1, 62))
        expected.local = IPv4Address(172, 16, 16, 22)
        expected.addresses = [
            InterfaceAddress(local: IPv4Address(192, 168, 1, 1), prefixLength: 24),
            InterfaceAddress(
                local: IPv4Address(10, 0, 0, 1), peer: IPv4Address(10, 0, 0, 2), prefixLength: 32),
        ]
        expected.routes = [
            TunnelRoute(to: IPv4Prefix(containing: IPv4Address(10, 20, 0, 0), length: 16), metric: 100),
            TunnelRoute(to: IPv4Prefix(containing: IPv4Address(0, 0, 0, 0), length: 0)),
        ]
        expected.mtu = 1400
        expected.ttl = .fixed(64)
        expected.tos = .fixed(8)
        expected.underlay = try InterfaceName("eth0")
        expected.fwmark = .max
        expected.enabled = false
        expected.driftPolicy = .alert
        expected.labels = ["site": "a", "x/y": ""]
        expected.comment = "über"
        #expect(body.definition == expected)
        #expect(body.revision == 3)
    }

    @Test func whatTheServerAddsIsPassedOver() throws {
        let body = try body(
            """
            {"name": "t", "remote": "10.0.0.1", "id": 5, "created_at": "x", "updated_at": null,
             "status": {"state": "up"}}
            """)
        #expect(body.definition.name.text == "t")
    }

    @Test func thePathCanGiveTheName() throws {
        let value = try JSONReader.read(Array(#"{"remote": "10.0.0.1"}"#.utf8))
        #expect(try TunnelBody(value, name: InterfaceName("t")).definition.name.text == "t")
    }

    @Test func allFaultsAreCollected() {
        let refusal = refusal(
            of: """
                {"name": "no way", "kind": "gre", "remote": "fe80::1", "local": 5, "mtu": "1400", "colour": 1,
                 "addresses": ["192.168.1.0/24", "10.0.0.1", "192.168.1.255/24"],
                 "routes": [{"to": "10.0.0.1/8"}, {"metric": 1}, {"to": "224.0.0.0/4"}, 5, {"to": "10.0.0.0/8", "via": 1}],
                 "labels": {"a/b~": 1, "ä": ""}, "fwmark": 0, "revision": 0}
                """)
        guard case .shape(let violations) = refusal else {
            Issue.record("\(String(describing: refusal))")
            return
        }
        let pointers = [
            "/revision", "/name", "/remote", "/kind", "/local", "/mtu", "/addresses/1", "/routes/0/to",
            "/routes/1/to", "/routes/3", "/routes/4/via", "/labels/a~1b~0", "/colour",
            "/fwmark", "/addresses/0", "/addresses/2", "/routes/2/to", "/labels/ä",
        ]
        #expect(violations.map(\.pointer) == pointers)
    }

    @Test func onlyValuesAtFaultIsAnotherRefusal() {
        let refusal = refusal(of: #"{"name": "lo", "remote": "127.0.0.1", "tos": 3}"#)
        guard case .invalid(let violations) = refusal else {
            Issue.record("\(String(describing: refusal))")
            return
        }
        #expect(violations.map(\.pointer) == ["/name", "/remote", "/tos"])
    }

    @Test(arguments: ["[]", "null", "\"x\"", "5"])
    func notAnObject(text: String) {
        guard case .shape(let violations) = refusal(of: text) else {
            Issue.record("not shape")
            return
        }
        #expect(violations.map(\.pointer) == [""])
    }

    /// What is wrong with one field of an otherwise good body, and the words that help.
    @Test(arguments: [
        (#""name": """#, "1 to 15"), (#""name": "a_name_of_16_byt""#, "16 bytes"),
        (#""name": "a b""#, "ASCII"),
        (#""name": "-a""#, "begin with"), (#""name": "tunl0""#, "choose another"),
        (#""name": null"#, "is null"),
        (#""remote": "172.16.1.62/24""#, "leave out the prefix length: 172.16.1.62"),
        (#""remote": "172.016.01.62""#, "write 172.16.1.62"),
        (#""remote": "gw.example""#, "aren't looked up"),
        (#""remote": "::1""#, "IPv4 only"), (#""remote": " 10.0.0.1""#, "leave out the space"),
        (#""remote": "1.2.3""#, "as 172.16.1.62"), (#""remote": 5"#, "an integer"),
        (#""remote": """#, "as 172.16.1.62"),
        (#""local": true"#, "a boolean"), (#""local": "10.0.0.256""#, "an IPv4 address"),
        (#""addresses": "10.0.0.1/8""#, "an array of strings"), (#""addresses": [null]"#, "is null"),
        (#""addresses": ["192.168.1.1"]"#, "192.168.1.1/24, or 192.168.1.1/32"),
        (#""addresses": ["192.168.1.1/255.255.255.0"]"#, "192.168.1.1/24."),
        (#""addresses": ["192.168.1.1/255.0.255.0"]"#, "isn't what belongs here"),
        (#""addresses": ["192.168.1.1/33"]"#, "as 192.168.1.1/24"),
        (#""addresses": ["fd00::1/64"]"#, "IPv4 only"),
        (#""addresses": ["192.168.001.1/24"]"#, "write 192.168.1.1/24"),
        (#""addresses": ["0.0.0.0/0"]"#, "host's"),
        (#""routes": [{"to": "10.20.0.1/16"}]"#, "10.20.0.0/16 was probably meant"),
        (#""routes": [{"to": "default"}]"#, "0.0.0.0/0"),
        (#""routes": [{"to": "2001:db8::/32"}]"#, "IPv4 only"),
        (#""routes": ["10.0.0.0/8"]"#, "give an object"), (#""routes": [{}]"#, "is missing"),
        (#""routes": [{"to": "10.0.0.0/8", "metric": -1}]"#, "0 to 4294967295"),
        (#""routes": [{"to": "10.0.0.0/8", "metric": "5"}]"#, "without quotes"),
        (#""mtu": 67"#, "68 to"), (#""mtu": 65516"#, "68 to"), (#""mtu": 1e30"#, "68 to 65515"),
        (#""mtu": 1400.5"#, "whole number"), (#""mtu": "1400""#, "number 1400 without quotes"),
        (#""ttl": 0"#, "1 to 255"), (#""ttl": 256"#, "1 to 255"), (#""ttl": "64""#, "64 without quotes"),
        (#""ttl": "none""#, "\"inherit\" or 1 to 255"), (#""ttl": null"#, "is null"),
        (#""ttl": 1.5"#, "whole"),
        (#""ttl": 64, "pmtudisc": false"#, "pmtudisc"),
        (#""tos": 2"#, "multiple of 4"), (#""tos": 256"#, "multiple of 4"),
        (#""pmtudisc": 1"#, "true or false"),
        (#""underlay": "x""#, "own underlay"), (#""underlay": "eth/0""#, "ASCII"),
        (#""fwmark": 4294967296"#, "1 to 4294967295"), (#""fwmark": 0"#, "1 to 4294967295"),
        (#""enabled": "yes""#, "true or false"), (#""labels": []"#, "object of strings"),
        (#""labels": {"a": null}"#, "give a string"), (#""labels": {"": "x"}"#, "a key has"),
        (#""comment": null"#, "give a string"), (#""comment": "\u0000""#, "U+0000"),
        (#""kind": "ip6tnl""#, "ipip"), (#""revision": "3""#, "without quotes"),
        (#""revision": 0"#, "from 1"),
        (#""naem": "x""#, "known are name"),
    ])
    func details(member: String, words: String) throws {
        let name = member.contains("\"name\"") ? "" : #""name": "x", "#
        let remote = member.contains("\"remote\"") ? "" : #""remote": "10.9.9.9", "#
        let violations = try #require(refusal(of: "{\(name)\(remote)\(member)}")?.violations)
        #expect(violations.count == 1, "\(violations)")
        #expect(violations.first?.detail.contains(words) == true, "\(violations)")
    }

    @Test func faultsAndQuotationsAreBounded() throws {
        let addresses = Array(repeating: "\"\(String(repeating: "9", count: 1000))\"", count: 1000)
        let violations = try #require(
            refusal(
                of:
                    #"{"name": "x", "remote": "10.0.0.1", "addresses": [\#(addresses.joined(separator: ","))]}"#
            )?
            .violations)
        #expect(violations.count == 100)
        #expect(violations.allSatisfy { $0.detail.count < 400 })
    }
}
