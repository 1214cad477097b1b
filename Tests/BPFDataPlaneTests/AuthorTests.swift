import Foundation
import KernelDataPlane
import Netlink
import Testing
import Tunnels

/// Who changed what on a host, as the kernel tells of it. On any link, so it takes no data plane but root.
@Suite struct AuthorTests {
    private let namespace: NetworkNamespace
    private let plane: KernelDataPlane
    private let monitor: KernelMonitor
    private let changes: AsyncStream<Void>
    private let watch: HostWatch

    init() throws {
        let trial = try Trial()
        let watch = HostWatch()
        self.watch = watch
        namespace = trial.namespace
        plane = try namespace.run { try KernelDataPlane(watch: watch) }
        try trial.veth()
        monitor = try namespace.run { try KernelMonitor(watch: watch) }
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        changes = stream
        monitor.start { continuation.yield() }
        monitor.arm()
    }

    /// `ip -batch`, which stays until it is told to end. It isn't waited for: it may hold open what tells of the end of
    /// other tests' processes, as they may of its.
    private func runIP(_ commands: [String]) throws -> (process: Process, input: FileHandle) {
        let process = Process()
        let input = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["nsenter", "--net=" + namespace.path, "ip", "-batch", "-"]
        process.standardInput = input
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data((commands.joined(separator: "\n") + "\n").utf8))
        return (process, input.fileHandleForWriting)
    }

    /// What is noted, as soon as it is enough.
    private func notes(until isEnough: (Set<ChangeNote>) -> Bool = { !$0.isEmpty }) async -> Set<ChangeNote> {
        var found: Set<ChangeNote> = []
        var words = changes.makeAsyncIterator()
        while true {
            found.formUnion(plane.takeNotes())
            if isEnough(found) { return found }
            guard await words.next() != nil else { return found }
            found.formUnion(plane.takeNotes())
            monitor.arm()
        }
    }

    @Test(.timeLimit(.minutes(1))) func aProcessThatIsStillThereIsNamed() async throws {
        let (process, input) = try runIP(["address add 10.0.0.1/24 dev near"])
        let author = ChangeAuthor(pid: process.processIdentifier, program: "ip")
        #expect(await notes() == [ChangeNote(ifindex: 20, subject: .address, isRemoval: false, author: author)])
        try input.write(contentsOf: Data("address del 10.0.0.1/24 dev near\n".utf8))
        #expect(await notes() == [ChangeNote(ifindex: 20, subject: .address, isRemoval: true, author: author)])
        process.terminate()
    }

    @Test(.timeLimit(.minutes(1))) func onlyRoutesOfOursAreNoted() async throws {
        let (process, _) = try runIP([
            "link set near up", "link set far up", "route add 10.1.0.0/16 dev near",
            "route add 10.2.0.0/16 dev near proto 116",
            "route del 10.2.0.0/16 dev near proto 116",
        ])
        let found = await notes { $0.contains { $0.subject == .route && $0.isRemoval } }
        let routes = found.filter { $0.subject == .route }
        #expect(routes.map(\.isRemoval).sorted { !$0 && $1 } == [false, true])
        #expect(routes.allSatisfy { $0.ifindex == 20 && $0.author?.pid == process.processIdentifier })
        process.terminate()
    }

    @Test(.timeLimit(.minutes(1))) func ourOwnSocketsAreLeftOut() async throws {
        let ours = try namespace.run { try NetlinkSocket() }
        let other = try namespace.run { try NetlinkSocket() }
        watch.leaveOut(sender: ours.portID)
        try ours.execute(.addAddress(Address(IPv4(10, 0, 0, 1), prefixLength: 24, interface: 20)))
        try other.execute(.addAddress(Address(IPv4(10, 0, 0, 2), prefixLength: 24, interface: 21)))
        // A second socket's port is no process id, so its owner isn't known.
        #expect(await notes() == [ChangeNote(ifindex: 21, subject: .address, isRemoval: false, author: nil)])
    }

    @Test(.timeLimit(.minutes(1))) func aStormIsNotedUpToABound() async throws {
        let socket = try namespace.run { try NetlinkSocket() }
        let links = (0..<3000 as Range<UInt32>).map {
            Address(IPv4(10, 1, UInt8($0 >> 8), UInt8($0 & 255)), prefixLength: 32, interface: 20)
        }
        for outcome in try socket.execute(links.map { .addAddress($0) }) { _ = try outcome.get() }
        // All of the same kind on one link are one.
        #expect(await notes().count == 1)
        monitor.arm()
        #expect(plane.takeNotes().count <= 1)
        #expect(monitor.overflows == 0)
    }
}
