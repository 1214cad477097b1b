internal import CBPF
internal import KernelDataPlane
internal import Netlink
internal import Tunnels

/// Tunnels made of a TUN device and two programs for all of them: the one on the device's way out pushes the outer
/// header, the one on the underlay's way in strips it. What they know of a tunnel stands in maps.
final class BPFCarrier: Carrier {
    let kind = DataPlaneKind.bpf
    let needsPaths = true
    let makesLinksItself = true

    let socket: NetlinkSocket
    let programs: TunnelPrograms
    let underlays: Underlays
    let watch: HostWatch
    let changes: ChangeCounter
    /// What the programs know of each device, by ifindex.
    var configurations: [UInt32: tun_config] = [:]
    /// Devices whose packets have no program, or come in by an underlay that has none.
    var incomplete: Set<UInt32> = []

    init(
        socket: NetlinkSocket, programs: TunnelPrograms, watch: HostWatch, changes: ChangeCounter
    ) throws(TunnelProblem) {
        self.socket = socket
        self.programs = programs
        self.watch = watch
        self.changes = changes
        watch.leaveOut(sender: socket.portID)
        underlays = try Underlays(socket: socket, programs: programs, changes: changes)
    }

    func make(_ link: NewLink) throws(CarrierError) -> [Request] {
        let configuration = tun_config(link.parameters, by: link.path)
        try claim(link, configuration)
        do throws(CarrierError) {
            try store(configuration, for: link)
            try create(link)
        } catch {
            forget([link.index])
            throw error
        }
        let mtu = link.mtu ?? link.path.map { $0.mtu - TunnelKind.ipip.overhead } ?? Self.defaultMTU
        let attributes = LinkChange(mtu: UInt32(max(mtu, DefinitionLimits.mtu.lowerBound)))
        return [.setLink(link.index, attributes)] + programs.attachment(to: link.index)
    }

    func change(_ link: NewLink) throws(CarrierError) -> [Request] {
        var configuration = tun_config(link.parameters, by: link.path)
        let former = current(link.index)
        if let former { configuration.keep(former) }
        let isMoved = former.map { !$0.endpoint.isSame(as: configuration.endpoint) } ?? true
        if isMoved { try claim(link, configuration) }
        try store(configuration, for: link)
        if isMoved, let former { _ = try? programs.endpoints.remove(former.endpoint) }
        guard incomplete.remove(link.index) != nil else { return [] }
        attachAgain([link.index])
        return []
    }

    /// As the map has it now: the programs note there that they learnt something since the last look.
    private func current(_ index: UInt32) -> tun_config? {
        ((try? programs.configurations.value(of: index)) ?? nil) ?? configurations[index]
    }

    /// Of an `ipip` link that has no route to its remote.
    private static let defaultMTU = 1480

    /// Takes the pair of endpoints, which one tunnel can have.
    private func claim(_ link: NewLink, _ configuration: tun_config) throws(CarrierError) {
        do throws(BPFError) {
            try underlays.expect(configuration.endpoint)
            try programs.endpoints.set(link.index, for: configuration.endpoint, .new)
        } catch {
            if error.code == .exists, let holder = holder(of: configuration.endpoint) {
                if holder == link.index { return }
                if !has(holder, configuration.endpoint),
                    (try? programs.endpoints.set(link.index, for: configuration.endpoint)) != nil
                {
                    return
                }
            }
            throw .refused(NetlinkError(operation: "create link \(link.name)", code: error.code, reason: error.log))
        }
    }

    /// Whether a device is there that has these endpoints; one that went leaves them until the next look.
    private func has(_ index: UInt32, _ endpoint: tun_endpoint) -> Bool {
        guard configurations[index]?.endpoint.isSame(as: endpoint) == true else { return false }
        return (try? socket.execute(.readLink(index))) != nil
    }

    private func holder(of endpoint: tun_endpoint) -> UInt32? {
        (try? programs.endpoints.value(of: endpoint)) ?? nil
    }

    private func store(_ configuration: tun_config, for link: NewLink) throws(CarrierError) {
        let former = configurations[link.index]
        do throws(BPFError) {
            try programs.configurations.set(configuration, for: link.index)
            if former == nil { try programs.counters.reset(link.index) }
            if former?.hasSameWay(as: configuration) != true { try programs.states.set(tun_state(), for: link.index) }
        } catch {
            throw .problem(TunnelProblem(error))
        }
        configurations[link.index] = configuration
        underlays.require(configuration)
    }

    private func create(_ link: NewLink) throws(CarrierError) {
        do throws(TunError) {
            // Marked before it lasts: a device that a killed daemon leaves is known as ours.
            try TunDevice.create(name: link.name, index: link.index) { () throws(TunError) in
                let mark = LinkChange(alias: link.alias, group: KernelDataPlane.linkGroup)
                do throws(NetlinkError) {
                    try socket.execute(.setLink(link.index, mark))
                } catch {
                    throw .failed("mark the device", error.code)
                }
            }
        } catch {
            if error == .taken {
                throw .refused(NetlinkError(operation: "create link \(link.name)", code: .exists))
            }
            throw .problem(TunnelProblem(error))
        }
        changes.add(1)
    }

    func noteUp(_ isUp: Bool, _ index: UInt32) {
        guard configurations[index]?.isUp != isUp, var configuration = current(index) else { return }
        configuration.isUp = isUp
        // Where it fails the next look tries again.
        guard (try? programs.configurations.set(configuration, for: index, .existing)) != nil else { return }
        configurations[index] = configuration
    }

    func parameters(of link: Link) -> LinkParameters? {
        guard link.kind == kind.linkKind else { return nil }
        return configurations[link.index].map { LinkParameters($0) }
    }

    func isWhole(_ index: UInt32) -> Bool { !incomplete.contains(index) }

    func forget(_ indexes: [UInt32]) {
        let endpoints = indexes.compactMap { index in configurations[index].map { (index, $0.endpoint) } }
        for (index, endpoint) in endpoints where holder(of: endpoint) == index {
            _ = try? programs.endpoints.remove(endpoint)
        }
        try? programs.configurations.remove(indexes)
        try? programs.counters.remove(indexes)
        try? programs.states.remove(indexes)
        for index in indexes { configurations[index] = nil }
        incomplete.subtract(indexes)
        underlays.keep(for: configurations.values)
    }
}
