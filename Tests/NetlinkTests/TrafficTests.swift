import CMnl
import Testing

@testable import Netlink

/// What was captured, both ways. Filters on a real kernel are in `BPFDataPlaneTests`, which has programs.
@Suite struct CapturedTrafficTests {
    static let place = FilterPlace(interface: 42, parent: .ingress, priority: 49152, handle: 1)
    static let name = "trial.bpf.o:[tc]"

    func qdisc(_ bytes: [UInt8]) throws -> Qdisc { try Qdisc(bytes.span.bytes) }
    func filter(_ bytes: [UInt8]) throws -> TrafficFilter { try TrafficFilter(bytes.span.bytes) }

    @Test func clsact() throws {
        let qdisc = try self.qdisc(Captured.clsact)
        #expect(qdisc.interface == 42)
        #expect(qdisc.kind == Qdisc.clsact)
        #expect(qdisc.handle == 0xFFFF_0000)
        #expect(qdisc.parent == 0xFFFF_FFF1)
    }

    @Test func aFilter() throws {
        let filter = try self.filter(Captured.filter)
        #expect(filter.place == Self.place)
        #expect(filter.place.proto == 3)
        #expect(filter.kind == TrafficFilter.bpf)
        #expect(filter.name == Self.name)
        #expect(filter.programID == 108)
        #expect(filter.programTag == [0xE6, 0x42, 0x93, 0xBC, 0xC7, 0xF0, 0x48, 0x28])
        #expect(filter.flags == .directAction)
        #expect(filter.isFilter)
        let priority = try self.filter(Captured.filterPriority)
        #expect(!priority.isFilter && priority.place.priority == 49152)
    }

    /// A filter of another kind has options of its own, with the same numbers.
    @Test func optionsOfAnotherKindAreLeftAlone() throws {
        var bytes = Captured.filter
        bytes.replaceSubrange(24..<27, with: "u32".utf8)
        let filter = try self.filter(bytes)
        #expect(filter.kind == "u32")
        #expect(filter.name == nil && filter.programID == nil && filter.programTag.isEmpty && filter.flags == [])
    }

    @Test func requestsAreAsThoseOfTC() {
        let flags = UInt16(NLM_F_REQUEST | NLM_F_CREATE)
        let requests: [(Request, type: Int, flags: UInt16, body: [UInt8])] = [
            (.addClsact(to: 42), RTM_NEWQDISC, flags | UInt16(NLM_F_EXCL), Captured.clsactRequest),
            (.deleteClsact(of: 42), RTM_DELQDISC, UInt16(NLM_F_REQUEST), Captured.clsactRequest),
            (
                .addFilter(Self.place, program: 9, name: Self.name), RTM_NEWTFILTER, flags | UInt16(NLM_F_EXCL),
                Captured.filterRequest
            ),
            (
                .replaceFilter(Self.place, program: 9, name: Self.name), RTM_NEWTFILTER,
                flags | UInt16(NLM_F_REPLACE), Captured.filterRequest
            ),
            (.deleteFilter(Self.place), RTM_DELTFILTER, UInt16(NLM_F_REQUEST), Captured.filterPlace),
            (.readFilter(Self.place), RTM_GETTFILTER, UInt16(NLM_F_REQUEST), Captured.filterPlace),
        ]
        for (request, type, flags, body) in requests {
            #expect(Int(request.type) == type)
            #expect(request.flags == flags)
            #expect(request.body == body, "\(request.operation)")
            #expect(request.failure == nil)
        }
        #expect(requests[2].0.operation == "add filter 49152/1 on ingress of link number 42")
    }

    /// The kernel takes 0 for all filters of a side or of a priority.
    @Test(arguments: [(0, 1), (1, 0)] as [(UInt16, UInt32)])
    func noRequestMeansMoreThanOneFilter(_ priority: UInt16, _ handle: UInt32) throws {
        let place = FilterPlace(interface: 42, parent: .egress, priority: priority, handle: handle)
        let socket = NetlinkSocket { _ in
            Issue.record("sent")
            return []
        }
        for request in [.deleteFilter(place), .readFilter(place), .addFilter(place, program: 9, name: "x")] as [Request]
        {
            #expect(throws: NetlinkError.self) { try socket.execute(request) }
        }
    }

    @Test func parentsAreWrittenAsTCWritesThem() {
        #expect("\(FilterParent.ingress) \(FilterParent.egress)" == "ingress egress")
        #expect("\(FilterParent(rawValue: 0x1_0010))" == "1:10")
    }
}

/// On the real kernel, in a network namespace of their own.
@Suite struct LiveTrafficTests {
    let namespace: NetworkNamespace
    let socket: NetlinkSocket

    init() throws {
        namespace = try NetworkNamespace()
        socket = try namespace.run { try NetlinkSocket() }
        try socket.execute(.createLink(Link(index: 10, name: "near", info: .veth(peer: Link(index: 11, name: "far")))))
    }

    @Test func clsactComesAndGoes() throws {
        let outcomes = try socket.execute([
            .addClsact(to: 10), .addClsact(to: 10), .addClsact(to: 11), .addClsact(to: 99), .deleteClsact(of: 11),
        ])
        #expect(outcomes[0] == .success([]) && outcomes[2] == .success([]) && outcomes[4] == .success([]))
        #expect(outcomes[1].failure?.code == .exists)
        #expect(outcomes[3].failure?.code == .noDevice)
        let all = try socket.qdiscs(into: [Qdisc]()) { $0.append($1) }
        let qdiscs = all.filter { $0.kind == Qdisc.clsact }
        #expect(qdiscs.map(\.interface) == [10])
        #expect(qdiscs.first?.handle == 0xFFFF_0000 && qdiscs.first?.parent == 0xFFFF_FFF1)
        #expect(try socket.filterPlaces() == [10])
        try socket.execute(.deleteClsact(of: 10))
        #expect(try socket.filterPlaces().isEmpty)
        let again = try socket.execute([.deleteClsact(of: 10)])
        #expect([.noSuchEntry, .invalid].contains(again[0].failure?.code))
    }

    /// Each of these is an answer that a data plane acts upon.
    @Test func whereNoFilterIs() throws {
        let place = FilterPlace(interface: 10, parent: .egress, priority: 1, handle: 1)
        #expect(try socket.execute([.readFilter(place)])[0].failure?.code == .invalid)
        #expect(try socket.filters(interface: 10, parent: .egress).isEmpty)
        #expect(try socket.filters(interface: 99, parent: .egress).isEmpty)
        try socket.execute(.addClsact(to: 10))
        let outcomes = try socket.execute([
            .readFilter(place), .deleteFilter(place), .addFilter(place, program: -1, name: "none"),
            .readFilter(FilterPlace(interface: 99, parent: .egress, priority: 1, handle: 1)),
        ])
        #expect(outcomes[0].failure?.code == .invalid)
        #expect(outcomes[1].failure?.code == .noSuchEntry)
        // No descriptor of a program.
        #expect(outcomes[2].failure?.errno == EBADF)
        #expect(outcomes[3].failure?.code == .noDevice)
        #expect(try socket.filters(interface: 10, parent: .egress).isEmpty)
    }

    @Test func theMonitorHearsOfQdiscsWhereAsked() throws {
        let monitor = try namespace.run { try LinkMonitor(trafficControl: true) }
        let deaf = try namespace.run { try LinkMonitor() }
        try socket.execute(.addClsact(to: 10))
        #expect(
            try monitor.read().events == [.init(kind: .qdisc, interface: 10, sender: socket.portID)])
        try socket.execute(.deleteClsact(of: 10))
        let changes = try monitor.read()
        #expect(changes.events == [.init(kind: .qdiscRemoved, interface: 10, sender: socket.portID)])
        #expect(changes.interfaces == [10] && changes.all(by: socket.portID))
        #expect(try deaf.read().isEmpty)
    }
}
