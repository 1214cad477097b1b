import Testing

@testable import BPFDataPlane
@testable import Netlink

/// Filters on a real kernel, through the messages of `Netlink`.
@Suite struct FilterTests {
    let trial: Trial
    let object: ProgramObject
    let ingress = FilterPlace(interface: 20, parent: .ingress, priority: 77, handle: 1)
    let egress = FilterPlace(interface: 1000, parent: .egress, priority: 77, handle: 1)

    init() throws {
        trial = try Trial()
        object = try Trial.load()
        try trial.veth()
        try trial.tun("tun_a", 1000)
    }

    func program(_ name: String, of object: ProgramObject) throws -> LoadedProgram {
        try #require(object.program(named: name))
    }

    @Test func bothSidesInOneSend() throws {
        let (in_, out) = (try program("trial_ingress", of: object), try program("trial_egress", of: object))
        let outcomes = try trial.socket.execute([
            .addClsact(to: 20), .addClsact(to: 1000),
            .addFilter(ingress, program: in_.fileDescriptor, name: "in"),
            .addFilter(egress, program: out.fileDescriptor, name: "out"),
            .readFilter(ingress), .readFilter(egress),
            .addFilter(egress, program: out.fileDescriptor, name: "again"),
        ])
        for outcome in outcomes.dropLast() { _ = try outcome.get() }
        #expect(throws: NetlinkError.self) { try outcomes[6].get() }
        let read = try #require(try outcomes[4].get().first?.filter)
        #expect(read.place == ingress && read.kind == TrafficFilter.bpf && read.name == "in")
        #expect(read.programID == in_.id && read.programTag == in_.tag && read.flags == .directAction)
        #expect(try outcomes[5].get().first?.filter?.programID == out.id)
        #expect(try trial.socket.filters(interface: 1000, parent: .egress).map(\.programID) == [out.id])
        #expect(try trial.socket.filters(interface: 1000, parent: .ingress).isEmpty)

        try trial.socket.execute(.deleteFilter(egress))
        #expect(try trial.socket.filters(interface: 1000, parent: .egress).isEmpty)
        // The last one takes along what the kernel would look for others in.
        let error = #expect(throws: NetlinkError.self) { try trial.socket.execute(.readFilter(egress)) }
        #expect(error?.code == .invalid)
        // The others go with their qdisc.
        try trial.socket.execute(.deleteClsact(of: 20))
        #expect(try trial.socket.filters(interface: 20, parent: .ingress).isEmpty)
    }

    /// As a daemon that starts anew takes over what the one before left.
    @Test func programsAndTheirMapsAreFoundByTheFilter() throws {
        try attach(try program("trial_egress", of: try Trial.load()))
        let id = try #require(try trial.socket.execute(.readFilter(egress)).first?.filter?.programID)
        let found = try LoadedProgram(id: id)
        let maps = try found.maps()
        let setting = try BPFMap<UInt32, UInt64>(#require(maps.first { $0.name == "trial_setting" }))
        try setting.set(1, for: 1000)

        let newer = try Trial.load(reusing: maps)
        try trial.socket.execute(
            .replaceFilter(egress, program: program("trial_egress", of: newer).fileDescriptor, name: "newer"))
        let filters = try trial.socket.filters(interface: 1000, parent: .egress)
        #expect(filters.count == 1)
        #expect(filters.first?.programID == newer.program(named: "trial_egress")?.id)
        #expect(filters.first?.name == "newer")
        let kept = try BPFMap<UInt32, UInt64>(#require(newer.map(named: "trial_setting")))
        #expect(try kept.value(of: 1000) == 1)
    }

    /// Puts a program on the egress of the TUN device, and lets go of it.
    func attach(_ program: LoadedProgram) throws {
        for outcome in try trial.socket.execute([
            .addClsact(to: 1000), .addFilter(egress, program: program.fileDescriptor, name: "out"),
        ]) { _ = try outcome.get() }
    }

    /// Where there is none yet, a replacement adds; the priority then belongs to its kind and protocol.
    @Test func replacingAddsToo() throws {
        let out = try program("trial_egress", of: object)
        try trial.socket.execute(.addClsact(to: 1000))
        try trial.socket.execute(.replaceFilter(egress, program: out.fileDescriptor, name: "out"))
        #expect(try trial.socket.filters(interface: 1000, parent: .egress).count == 1)
        var other = egress
        other.proto = 0x0800
        #expect(throws: NetlinkError.self) {
            try trial.socket.execute(.addFilter(other, program: out.fileDescriptor, name: "other"))
        }
        var second = egress
        second.handle = 2
        try trial.socket.execute(.addFilter(second, program: out.fileDescriptor, name: "second"))
        try trial.socket.execute(.deleteFilter(egress))
        #expect(try trial.socket.filters(interface: 1000, parent: .egress).map(\.place) == [second])
        let error = #expect(throws: NetlinkError.self) { try trial.socket.execute(.readFilter(egress)) }
        #expect(error?.code == .noSuchEntry)
    }

    @Test func theMonitorHearsOfFilters() throws {
        let monitor = try trial.namespace.run { try LinkMonitor(trafficControl: true) }
        let out = try program("trial_egress", of: object)
        try attach(out)
        #expect(try monitor.read().events.contains(.init(kind: .filter, interface: 1000, sender: trial.socket.portID)))
        let stranger = try trial.namespace.run { try NetlinkSocket() }
        try stranger.execute(.deleteFilter(egress))
        let changes = try monitor.read()
        #expect(changes.events == [.init(kind: .filterRemoved, interface: 1000, sender: stranger.portID)])
        #expect(changes.interfaces == [1000])
        // A qdisc that goes takes its filters with it.
        try trial.socket.execute(.addFilter(egress, program: out.fileDescriptor, name: "out"))
        _ = try monitor.read()
        try trial.socket.execute(.deleteClsact(of: 1000))
        #expect(try monitor.read().events.contains { $0.kind == .qdiscRemoved && $0.interface == 1000 })
    }

    /// Packets that pass are counted by the program, on whichever CPU.
    @Test func theProgramsRun() throws {
        let counter = try PerCPUCounters<UInt32, Trial.Counter>(#require(object.map(named: "trial_counter")))
        let setting = try BPFMap<UInt32, UInt64>(#require(object.map(named: "trial_setting")))
        try counter.reset([20, 1000])
        try attach(try program("trial_egress", of: object))
        try trial.socket.execute(.setLink(1000, LinkChange(up: true)))
        var address = Address(IPv4(10, 9, 0, 1), prefixLength: 32, interface: 1000)
        address.peer = IPv4(10, 9, 0, 2)
        try trial.socket.execute(.addAddress(address))
        let before = try #require(try counter.total(of: 1000))
        try trial.namespace.run { send(5, bytes: 100, to: IPv4(10, 9, 0, 2)) }
        let after = try #require(try counter.total(of: 1000))
        #expect(after.packets == before.packets + 5 && after.bytes == before.bytes + 5 * 128)
        // Now the program drops.
        try setting.set(1, for: 1000)
        try trial.namespace.run { send(5, bytes: 100, to: IPv4(10, 9, 0, 2)) }
        #expect(try counter.total(of: 1000) == after)
        #expect(try counter.total(of: 20) == Trial.Counter())
    }
}
