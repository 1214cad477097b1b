import Reconciler
import Testing
import Tunnels

@testable import TunnelAPI

@Suite struct TunnelJSONTests {
    private func text(_ view: TunnelView) -> String {
        var writer = JSONWriter()
        writer.tunnel(view)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test func defaultsAreShownInTheDocumentedOrder() throws {
        let view = try sampleView("tun_a")
        #expect(
            text(view) == """
                {"name":"tun_a","kind":"ipip","local":null,"remote":"172.16.1.62","addresses":[],"routes":[],"mtu":null,\
                "ttl":"inherit","tos":"inherit","pmtudisc":true,"underlay":null,"fwmark":null,"enabled":true,\
                "drift_policy":"enforce","labels":{},\
                "comment":"","id":"018f0000-0000-7000-8000-000000000001","revision":3,\
                "created_at":"2026-01-02T03:04:05.678Z","updated_at":"2026-01-02T03:04:06.678Z",\
                "status":{"state":"pending","data_plane":"kernel","ifindex":null,"mtu":null,"reconciled_at":null,\
                "problem":null,"drift":[]}}
                """)
    }

    @Test func everythingIsShown() throws {
        var definition = TunnelDefinition(
            name: try InterfaceName("tun_a"), remote: IPv4Address(172, 16, 1, 62))
        definition.local = IPv4Address(172, 16, 16, 22)
        definition.addresses = [InterfaceAddress(local: IPv4Address(192, 168, 1, 1), prefixLength: 24)]
        definition.routes = [
            TunnelRoute(to: IPv4Prefix(containing: IPv4Address(10, 20, 0, 0), length: 16), metric: 100)
        ]
        definition.mtu = 1400
        definition.ttl = .fixed(64)
        definition.tos = .fixed(0)
        definition.underlay = try InterfaceName("eth0")
        definition.fwmark = 7
        definition.labels = ["site": "a", "rack": "\"1\""]
        let time = Timestamp(milliseconds: 1_767_323_045_678)
        var drift = Drift(field: "mtu", desired: "1400", observed: "1300", foundAt: time)
        drift.repairedAt = time
        let status = TunnelStatus(
            state: .failed, dataPlane: .bpf, ifindex: 7, mtu: 1300, reconciledAt: time,
            problem: TunnelProblem(.kernelRefused, "no", errno: "EINVAL", kernelMessage: "bad"),
            drift: [drift])
        let text = text(try sampleView(definition, status: status))
        #expect(text.contains(#""routes":[{"to":"10.20.0.0/16","metric":100}],"mtu":1400,"ttl":64,"tos":0,"#))
        #expect(text.contains(#""labels":{"rack":"\"1\"","site":"a"}"#))
        #expect(
            text.hasSuffix(
                """
                "status":{"state":"failed","data_plane":"bpf","ifindex":7,"mtu":1300,\
                "reconciled_at":"2026-01-02T03:04:05.678Z","problem":{"type":"/problems/kernel-refused",\
                "title":"The kernel refused","detail":"no","errno":"EINVAL","kernel_message":"bad"},\
                "drift":[{"field":"mtu","desired":"1400","observed":"1300","found_at":"2026-01-02T03:04:05.678Z",\
                "repaired_at":"2026-01-02T03:04:05.678Z"}]}}
                """))
    }

    /// `curl GET | jq … | curl PUT`.
    @Test func aTunnelAsItWasReadCanBeSentBack() throws {
        let view = try sampleView("tun_a")
        let body = try TunnelBody(JSONReader.read(Array(text(view).utf8)))
        #expect(body.definition == view.tunnel.definition)
        #expect(body.revision == 3)
    }
}

func sampleView(_ name: String) throws -> TunnelView {
    try sampleView(TunnelDefinition(name: InterfaceName(name), remote: IPv4Address(172, 16, 1, 62)))
}

func sampleView(
    _ definition: TunnelDefinition, status: TunnelStatus = TunnelStatus(state: .pending, dataPlane: .kernel)
) throws -> TunnelView {
    let id = try #require(TunnelID("018f0000-0000-7000-8000-000000000001"))
    let tunnel = Tunnel(
        id: id, definition: definition, revision: 3, createdAt: Timestamp(milliseconds: 1_767_323_045_678),
        updatedAt: Timestamp(milliseconds: 1_767_323_046_678))
    return TunnelView(tunnel: tunnel, status: status)
}
