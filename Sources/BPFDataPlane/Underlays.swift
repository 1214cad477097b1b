internal import CBPF
internal import KernelDataPlane
internal import Netlink
internal import Tunnels

/// The links by which outer packets come in: each has the program that strips their header. They aren't ours, so each
/// goes back to how it was found when no tunnel uses it.
final class Underlays {
    private let socket: NetlinkSocket
    private let programs: TunnelPrograms
    private let changes: ChangeCounter
    /// Those with our program, as the map has them.
    private var attached: [UInt32: underlay]
    /// The links that have an address by which the host can be reached.
    private var addressed: Set<UInt32> = []
    /// nil before the tunnels are known, and then all kinds are.
    private var kinds: EndpointKinds?

    init(socket: NetlinkSocket, programs: TunnelPrograms, changes: ChangeCounter) throws(TunnelProblem) {
        self.socket = socket
        self.programs = programs
        self.changes = changes
        do throws(BPFError) {
            attached = Dictionary(try programs.underlays.entries().map { ($0.key, $0.value) }) { first, _ in first }
        } catch {
            throw TunnelProblem(error)
        }
        readHost()
    }

    var attachedLinks: Set<UInt32> { Set(attached.keys) }

    /// Reads the host's addresses: a tunnel with any local address takes packets to each of them.
    func readHost() {
        guard let addresses = try? socket.addresses() else { return }
        let reachable = addresses.filter { $0.local.rawValue >> 24 != 127 }
        addressed = Set(reachable.map(\.interface).filter { $0 < KernelDataPlane.firstIndex })
        let wanted = Set(addresses.map { $0.local.rawValue.bigEndian })
        guard let known = try? programs.hostAddresses.keys() else { return }
        try? programs.hostAddresses.remove(known.filter { !wanted.contains($0) })
        try? programs.hostAddresses.set(wanted.subtracting(known).map { ($0, 1) })
    }

    /// The links by which a tunnel's packets may come in: the one that it is bound to, or else any of the host's, since
    /// the other end may choose another way than this one.
    func links(of configuration: tun_config) -> Set<UInt32> {
        guard configuration.underlay == 0 else { return [configuration.underlay] }
        return configuration.out == 0 ? addressed : addressed.union([configuration.out])
    }

    /// Has the program look for endpoints of this kind; before a tunnel takes them.
    func expect(_ endpoint: tun_endpoint) throws(BPFError) {
        var kinds = kinds
        kinds?.insert(endpoint)
        try tell(kinds)
    }

    /// Attaches the program where a new tunnel needs it.
    func require(_ configuration: tun_config) {
        for link in links(of: configuration) where attached[link] == nil { attach(to: link) }
    }

    /// Attaches the program where it is needed, and takes it from where it isn't.
    func keep(for configurations: some Collection<tun_config>) {
        let needed = configurations.reduce(into: Set<UInt32>()) { $0.formUnion(links(of: $1)) }
        for link in needed where attached[link] == nil { attach(to: link) }
        for link in attached.keys where !needed.contains(link) { detach(from: link) }
        // Where it fails the program looks for more than it needs to.
        try? tell(EndpointKinds(configurations))
    }

    private func tell(_ kinds: EndpointKinds?) throws(BPFError) {
        guard kinds == nil || kinds != self.kinds else { return }
        // Until each link is told: a write that fails leaves them told of different kinds.
        self.kinds = nil
        for (link, former) in attached {
            var entry = former
            entry.note(kinds, of: link)
            guard !entry.isSame(as: former) else { continue }
            try programs.underlays.set(entry, for: link)
            attached[link] = entry
        }
        self.kinds = kinds
    }

    /// Forgets those that aren't among the host's links any more: one that comes back has no program.
    func forgetGone(_ isThere: (UInt32) -> Bool) {
        for link in attached.keys where !isThere(link) {
            _ = try? programs.underlays.remove(link)
            attached[link] = nil
        }
    }

    /// Those that are there and lost the program.
    func bare() throws(NetlinkError) -> Set<UInt32> {
        let links = Array(attached.keys)
        let outcomes = try socket.execute(links.map { .readFilter(TunnelPrograms.ingressPlace(on: $0)) })
        return Set(zip(links, outcomes).compactMap { programs.isIngress($1.filter) || $1.isWithoutLink ? nil : $0 })
    }

    func attachAgain(_ links: Set<UInt32>) {
        for link in links { attach(to: link) }
    }

    private func attach(to link: UInt32) {
        guard let device = (try? socket.execute(.readLink(link)))?.first?.link,
            let places = try? socket.filterPlaces()
        else { return }
        changes.add(1)
        var entry = attached[link] ?? underlay()
        entry.header_bytes = device.hasMACHeader ? UInt8(ETH_HLEN) : 0
        entry.note(kinds, of: link)
        if !places.contains(link) { entry.made_clsact = 1 }
        do {
            // The map first: a program that doesn't find its link there lets all pass. Then both in one send, which a
            // kill doesn't part: a place without our filter would be taken for somebody else's.
            try programs.underlays.set(entry, for: link)
            let outcomes = try socket.execute([.addClsact(to: link), programs.ingressFilter(on: link)])
            _ = try outcomes.last?.get()
            attached[link] = entry
        } catch {
            // The next look tries again.
            _ = try? programs.underlays.remove(link)
            attached[link] = nil
        }
    }

    /// The place for filters goes too, and our filter with it at once, if we made it and nobody else uses it.
    private func detach(from link: UInt32) {
        changes.add(1)
        let isLast = attached[link]?.made_clsact == 1 && isOursAlone(link)
        _ = try? socket.execute(isLast ? .deleteClsact(of: link) : .deleteFilter(TunnelPrograms.ingressPlace(on: link)))
        _ = try? programs.underlays.remove(link)
        attached[link] = nil
    }

    private func isOursAlone(_ link: UInt32) -> Bool {
        let ours = TunnelPrograms.ingressPlace(on: link)
        return [FilterParent.ingress, .egress].allSatisfy { parent in
            (try? socket.filters(interface: link, parent: parent).allSatisfy { $0.place == ours }) ?? false
        }
    }
}

extension NetlinkSocket.Outcome {
    fileprivate var isWithoutLink: Bool {
        if case .failure(let error) = self { error.code == .noDevice } else { false }
    }
}

extension Link {
    /// Whether its packets begin with a MAC header (`dev_is_mac_header_xmit`).
    fileprivate var hasMACHeader: Bool {
        // ARPHRD_PPP, ARPHRD_RAWIP, ARPHRD_TUNNEL, ARPHRD_TUNNEL6, ARPHRD_SIT, ARPHRD_IPGRE, ARPHRD_IP6GRE,
        // ARPHRD_VOID, ARPHRD_NONE
        ![512, 519, 768, 769, 776, 778, 823, 0xFFFF, 0xFFFE].contains(hardwareType)
    }
}
