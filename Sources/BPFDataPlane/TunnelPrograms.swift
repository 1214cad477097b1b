internal import CBPF
internal import Netlink
internal import Tunnels

/// The two programs in the kernel, with the maps that tell them of tunnels.
struct TunnelPrograms {
    private let egress: LoadedProgram
    private let ingress: LoadedProgram
    /// Programs of a former daemon that use the same maps.
    private let takenOver: Set<UInt32>
    let configurations: BPFMap<UInt32, tun_config>
    let endpoints: BPFMap<tun_endpoint, UInt32>
    let states: BPFMap<UInt32, tun_state>
    let counters: PerCPUCounters<UInt32, tun_counter>
    let hostAddresses: BPFMap<UInt32, UInt8>
    let underlays: BPFMap<UInt32, underlay>

    /// Loads the programs of this build.
    ///
    /// - Parameters:
    ///   - maps: those of programs that run already, to go on with.
    ///   - running: the numbers of these programs.
    init(reusing maps: [LoadedMap], of running: Set<UInt32>) throws(BPFError) {
        let object = try ProgramObject(loading: ProgramObject.tunnelImage, name: "tunneld", reusing: maps)
        guard let egress = object.program(named: Self.egressName) else { throw .missing(Self.egressName) }
        guard let ingress = object.program(named: Self.ingressName) else { throw .missing(Self.ingressName) }
        try self.init(egress: egress, ingress: ingress, maps: object.maps, takenOver: running)
    }

    /// Goes on with programs that run already.
    init(
        egress: LoadedProgram, ingress: LoadedProgram, maps: [LoadedMap], takenOver: Set<UInt32> = []
    ) throws(BPFError) {
        func map(_ name: String) throws(BPFError) -> LoadedMap {
            guard let map = maps.first(where: { $0.name == name }) else { throw .missing(name) }
            return map
        }
        (self.egress, self.ingress, self.takenOver) = (egress, ingress, takenOver)
        configurations = try BPFMap(map("tun_config_1"))
        endpoints = try BPFMap(map("tun_endpoint_1"))
        states = try BPFMap(map("tun_state_1"))
        counters = try PerCPUCounters(map("tun_counter_1"))
        hostAddresses = try BPFMap(map("host_address_1"))
        underlays = try BPFMap(map("underlay_1"))
    }

    /// Finds them by their number, as the next daemon will.
    func find() throws(BPFError) {
        for program in [egress, ingress] { _ = try LoadedProgram(id: program.id) }
    }

    static let egressName = "tunneld_egress"
    static let ingressName = "tunneld_ingress"

    /// What tells one build's programs from another's, without loading them: FNV-1a of the object file. It stands in the
    /// filters' names.
    private static let build = String(
        ProgramObject.tunnelImage.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 },
        radix: 16)

    /// Whether a filter runs the program of that name, of whatever build.
    static func isOurs(_ filter: TrafficFilter, _ name: String) -> Bool {
        filter.name?.split(separator: ":").first.map(String.init) == name
    }

    static func isThisBuild(_ filter: TrafficFilter) -> Bool {
        filter.name?.split(separator: ":").last.map(String.init) == build
    }

    private static func label(_ name: String) -> String { "\(name):\(build)" }

    /// Ours among the filters of a link ("tu"): before those whose owner chose none, since the kernel counts down from
    /// 0xC000 for these, and behind those that want to be first.
    private static let priority: UInt16 = 0x7475

    static func egressPlace(on link: UInt32) -> FilterPlace {
        FilterPlace(interface: link, parent: .egress, priority: priority, handle: 1)
    }

    static func ingressPlace(on link: UInt32) -> FilterPlace {
        FilterPlace(interface: link, parent: .ingress, priority: priority, handle: 1)
    }

    /// What gives a device its program: the place for filters, which may be there already, and the filter.
    func attachment(to device: UInt32) -> [Request] {
        [.addClsact(to: device), egressFilter(on: device)]
    }

    func egressFilter(on device: UInt32) -> Request {
        .replaceFilter(Self.egressPlace(on: device), program: egress.fileDescriptor, name: Self.label(Self.egressName))
    }

    func ingressFilter(on link: UInt32) -> Request {
        .replaceFilter(Self.ingressPlace(on: link), program: ingress.fileDescriptor, name: Self.label(Self.ingressName))
    }

    /// Whether a filter runs the egress program of this build, on these maps; nil is none.
    func isEgress(_ filter: TrafficFilter?) -> Bool { filter.map { runs(egress, $0) } ?? false }

    /// Whether a filter runs the ingress program of this build, on these maps; nil is none.
    func isIngress(_ filter: TrafficFilter?) -> Bool { filter.map { runs(ingress, $0) } ?? false }

    /// The tag says nothing of the maps.
    private func runs(_ program: LoadedProgram, _ filter: TrafficFilter) -> Bool {
        guard let id = filter.programID else { return false }
        return id == program.id || takenOver.contains(id) && filter.programTag == program.tag
    }
}

extension BPFError {
    fileprivate static func missing(_ name: String) -> BPFError {
        BPFError(operation: "find \(name) in the program object", errno: ENOENT)
    }
}
