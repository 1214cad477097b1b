import CBPF
import Netlink
import Testing

@testable import BPFDataPlane

/// The real programs: that the kernel at hand takes them, and that their maps are laid out as `tunnel.h` says.
@Suite struct TunnelObjectTests {
    let object: ProgramObject

    init() throws { object = try ProgramObject(loading: ProgramObject.tunnelImage, name: "tunnel") }

    @Test func theKernelTakesThem() throws {
        #expect(Set(object.programs.map(\.name)) == ["tunneld_egress", "tunneld_ingress"])
        // No global variables: a second load goes on with all maps.
        let second = try ProgramObject(loading: ProgramObject.tunnelImage, name: "tunnel", reusing: object.maps)
        #expect(Set(second.maps.map(\.id)) == Set(object.maps.map(\.id)))
        #expect(Set(second.programs.map(\.tag)) == Set(object.programs.map(\.tag)))
        let trial = try Trial()
        let obstacle = try trial.namespace.run {
            BPFSupport.obstacle(loading: ProgramObject.tunnelImage, name: "trial", index: 1_000_000)
        }
        #expect(obstacle == nil)
    }

    func map(_ name: String) throws -> LoadedMap { try #require(object.map(named: name), "\(object.maps.map(\.name))") }

    @Test func mapsAreTypedByTheSharedHeader() throws {
        let config = try BPFMap<UInt32, tun_config>(map("tun_config_1"))
        let endpoint = try BPFMap<tun_endpoint, UInt32>(map("tun_endpoint_1"))
        let state = try BPFMap<UInt32, tun_state>(map("tun_state_1"))
        let counter = try PerCPUCounters<UInt32, tun_counter>(map("tun_counter_1"))
        _ = try BPFMap<UInt32, UInt8>(map("host_address_1"))
        _ = try BPFMap<UInt32, underlay>(map("underlay_1"))
        var written = tun_config()
        written.remote = 0x0100_007F
        written.path_mtu = 1500
        written.ttl = 64
        try config.set((1...1000 as ClosedRange<UInt32>).map { ($0, written) })
        #expect(try config.value(of: 1000)?.ttl == 64)
        #expect(try config.entries().allSatisfy { $0.value.path_mtu == 1500 && $0.value.remote == 0x0100_007F })
        let key = tun_endpoint(local: 1, remote: 2, underlay: 3)
        try endpoint.set(7, for: key)
        #expect(try endpoint.value(of: key) == 7)
        #expect(try endpoint.value(of: tun_endpoint(local: 1, remote: 2, underlay: 0)) == nil)
        #expect(try state.keys().isEmpty)
        try counter.reset(Array(1...1000))
        #expect(try counter.totals().count == 1000)
        #expect(try counter.total(of: 1)?.tx_failed == 0)
    }
}
