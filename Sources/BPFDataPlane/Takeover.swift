internal import CBPF
internal import Netlink

/// The programs that a former daemon left at work in this network namespace. Nothing of them is pinned: filters refer to
/// programs, and programs to maps.
struct Takeover {
    /// TUN devices with the egress program, and underlays with the ingress program, of whatever build.
    private(set) var devices: [UInt32] = []
    private(set) var underlays: [UInt32] = []
    private var programIDs: Set<UInt32> = []

    init(_ socket: NetlinkSocket) throws(NetlinkError) {
        let links = try socket.qdiscs(kind: Qdisc.clsact).map(\.interface)
        let requests = links.flatMap { link in
            [
                Request.readFilter(TunnelPrograms.egressPlace(on: link)),
                .readFilter(TunnelPrograms.ingressPlace(on: link)),
            ]
        }
        let filters = try socket.execute(requests).map(\.filter)
        for (position, link) in links.enumerated() {
            if let filter = filters[2 * position], filter.name == TunnelPrograms.egressName {
                devices.append(link)
                if let id = filter.programID { programIDs.insert(id) }
            }
            if let filter = filters[2 * position + 1], filter.name == TunnelPrograms.ingressName {
                underlays.append(link)
                if let id = filter.programID { programIDs.insert(id) }
            }
        }
    }

    /// This build's programs, on the maps of those at work where there are any; on new maps where those of two daemons
    /// are mixed, or are laid out otherwise.
    func load() throws(BPFError) -> TunnelPrograms {
        var found: [UInt32: LoadedMap] = [:]
        for id in programIDs {
            for map in try LoadedProgram(id: id).maps() { found[map.id] = map }
        }
        guard Set(found.values.map(\.name)).count == found.count else { return try TunnelPrograms(reusing: [], of: []) }
        do throws(BPFError) {
            return try TunnelPrograms(reusing: Array(found.values), of: programIDs)
        } catch {
            guard error.code == .invalid else { throw error }
            return try TunnelPrograms(reusing: [], of: [])
        }
    }

    /// Puts this build's programs in the place of others; each packet meets the old one or the new one.
    func renew(with programs: TunnelPrograms, _ socket: NetlinkSocket) throws(NetlinkError) -> Int {
        let filters = try socket.execute(
            devices.map { .readFilter(TunnelPrograms.egressPlace(on: $0)) }
                + underlays.map { .readFilter(TunnelPrograms.ingressPlace(on: $0)) }
        ).map(\.filter)
        var requests: [Request] = []
        for (device, filter) in zip(devices, filters) where !programs.isEgress(filter) {
            requests.append(programs.egressFilter(on: device))
        }
        for (link, filter) in zip(underlays, filters.dropFirst(devices.count)) where !programs.isIngress(filter) {
            requests.append(programs.ingressFilter(on: link))
        }
        _ = try socket.execute(requests)
        return requests.count
    }
}
