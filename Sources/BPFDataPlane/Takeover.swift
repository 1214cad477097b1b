internal import CBPF
internal import KernelDataPlane
internal import Netlink

/// The programs that a former daemon left at work in this network namespace. Nothing of them is pinned: filters refer to
/// programs, and programs to maps.
struct Takeover {
    /// The egress filters by TUN device, and the ingress filters by underlay, of whatever build.
    let devices: [UInt32: TrafficFilter]
    let underlays: [UInt32: TrafficFilter]

    init(_ socket: NetlinkSocket) throws(NetlinkError) {
        let links = Array(try socket.filterPlaces())
        let tunnels = links.filter { $0 >= KernelDataPlane.firstIndex }
        let outcomes = try socket.execute(
            tunnels.map { .readFilter(TunnelPrograms.egressPlace(on: $0)) }
                + links.map { .readFilter(TunnelPrograms.ingressPlace(on: $0)) })
        devices = Self.filters(TunnelPrograms.egressName, of: zip(tunnels, outcomes))
        // A tunnel inside a tunnel has the other's device as its underlay.
        underlays = Self.filters(TunnelPrograms.ingressName, of: zip(links, outcomes[tunnels.count...]))
    }

    private static func filters(
        _ name: String, of outcomes: some Sequence<(UInt32, NetlinkSocket.Outcome)>
    ) -> [UInt32: TrafficFilter] {
        let found = outcomes.compactMap { link, outcome in outcome.filter.map { (link, $0) } }
        return Dictionary(found.filter { TunnelPrograms.isOurs($1, name) }) { first, _ in first }
    }

    /// The programs at work where they are this build's, and otherwise this build's on their maps; on new maps where those
    /// of two daemons are mixed, or are laid out otherwise.
    func programs() throws(BPFError) -> TunnelPrograms {
        let egress = Set(devices.values.compactMap(\.programID))
        let ingress = Set(underlays.values.compactMap(\.programID))
        var running: [UInt32: LoadedProgram] = [:]
        for id in egress.union(ingress) { running[id] = try LoadedProgram(id: id) }
        var maps: [UInt32: LoadedMap] = [:]
        for program in running.values {
            for map in try program.maps() { maps[map.id] = map }
        }
        guard Set(maps.values.map(\.name)).count == maps.count else { return try TunnelPrograms(reusing: [], of: []) }
        let isThisBuild = (devices.values.map { $0 } + underlays.values).allSatisfy(TunnelPrograms.isThisBuild)
        if isThisBuild, egress.count == 1, let one = egress.first.flatMap({ running[$0] }), ingress.count == 1,
            let other = ingress.first.flatMap({ running[$0] })
        {
            return try TunnelPrograms(egress: one, ingress: other, maps: Array(maps.values))
        }
        do throws(BPFError) {
            return try TunnelPrograms(reusing: Array(maps.values), of: Set(running.keys))
        } catch {
            guard error.code == .invalid else { throw error }
            return try TunnelPrograms(reusing: [], of: [])
        }
    }

    /// Puts this build's programs in the place of others; each packet meets the old one or the new one.
    ///
    /// - Returns: how many were replaced.
    func renew(with programs: TunnelPrograms, _ socket: NetlinkSocket) throws(NetlinkError) -> Int {
        let requests =
            devices.filter { !programs.isEgress($1) }.map { programs.egressFilter(on: $0.key) }
            + underlays.filter { !programs.isIngress($1) }.map { programs.ingressFilter(on: $0.key) }
        _ = try socket.execute(requests)
        return requests.count
    }
}
