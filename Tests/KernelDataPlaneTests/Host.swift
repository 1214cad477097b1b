import Foundation
import KernelDataPlane
import Netlink
import Testing
import Tunnels

/// On the real kernel, one test after another: the kernel at hand may have one CPU, and threads that wait for each
/// other cost it more than the tests.
@Suite(.serialized) enum OnTheKernel {}

/// A host in a network namespace of its own: an Ethernet link `eth0` with 172.16.0.1/16, the loopback and `ipip`'s
/// fallback device, on a kernel that has `ipip`.
final class Host {
    let namespace: NetworkNamespace
    let plane: KernelDataPlane
    let changes = ChangeCounter()
    let watch = HostWatch()

    init() throws {
        let namespace = try NetworkNamespace()
        let (changes, watch) = (changes, watch)
        self.namespace = namespace
        plane = try namespace.run { try KernelDataPlane(counters: changes, watch: watch) }
        // The first link of its kind loads ipip, and its fallback device appears in every namespace.
        try ip(
            "link add first type ipip remote 172.16.255.254", "link delete first", "link set lo up",
            "link add eth0 type veth peer name far0", "address add 172.16.0.1/16 dev eth0", "link set far0 up",
            "link set eth0 up")
    }

    // MARK: - By other hands

    struct CommandFailure: Error {
        let words: String
    }

    /// Runs commands of iproute2's `ip` on the host, all in one process: starting one costs that kernel more than
    /// what most do.
    @discardableResult
    func ip(_ commands: String...) throws -> String {
        try run("ip", ["-batch", "-"], input: commands.joined(separator: "\n") + "\n")
    }

    /// What `ip` shows of the host.
    func show(_ arguments: String) throws -> String {
        try run("ip", arguments.split(separator: " ").map(String.init))
    }

    /// Runs any program on the host.
    @discardableResult
    func run(_ program: String, _ arguments: [String], input: String = "", mayFail: Bool = false) throws -> String {
        let process = Process()
        let (stdin, stdout) = (Pipe(), Pipe())
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["nsenter", "--net=" + namespace.path, program] + arguments
        process.standardInput = stdin
        process.standardOutput = stdout
        process.standardError = stdout
        try process.run()
        try stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try stdin.fileHandleForWriting.close()
        let words = String(decoding: stdout.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard mayFail || process.terminationStatus == 0 else { throw CommandFailure(words: words) }
        return words
    }

    /// A tunnel link as iproute2 shows it.
    struct Shown: Decodable {
        struct Info: Decodable {
            struct Data: Decodable {
                var proto: String
                var remote: String
                var local: String
                var link: String?
                var ttl: Int
                var tos: String?
                var pmtudisc: Bool
                var fwmark: String?
            }
            var infoKind: String?
            var infoData: Data?
        }
        var ifindex: Int32
        var ifname: String
        var mtu: Int
        var flags: [String]
        var group: String
        var ifalias: String?
        var linkinfo: Info?
    }

    /// All links as iproute2 shows them.
    func shown() throws -> [Shown] {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode([Shown].self, from: Data(run("ip", ["-d", "-j", "link", "show"]).utf8))
    }

    // MARK: - By ours

    typealias Answer = Result<AppliedLink?, TunnelProblem>

    func observe(_ tunnels: Tunnel...) throws -> ObservedState {
        try plane.observe(for: tunnels)
    }

    func link(of tunnel: Tunnel) throws -> ObservedLink? {
        try observe(tunnel).link(of: tunnel.id)
    }

    /// One plan, carried out.
    @discardableResult
    func apply(_ tunnel: Tunnel) throws -> Answer {
        try #require(plane.apply([try plan(for: tunnel, in: observe(tunnel))]).first)
    }

    /// Single operations on a link, as nobody would plan them.
    @discardableResult
    func apply(_ operations: [Tunnels.Operation], to tunnel: Tunnel, ifindex: Int32) throws -> Answer {
        let plan = TunnelPlan(
            tunnel: tunnel.id, name: tunnel.name.text, ifindex: ifindex, operations: operations)
        return try #require(plane.apply([plan]).first)
    }

    /// Looks, plans and applies until there is no difference, at most three times.
    @discardableResult
    func settle(_ tunnel: Tunnel, _ location: SourceLocation = #_sourceLocation) throws -> ObservedLink {
        for _ in 0..<3 {
            let plan = try plan(for: tunnel, in: observe(tunnel))
            if plan.operations.isEmpty { break }
            _ = try plane.apply([plan])[0].get()
        }
        let observed = try observe(tunnel)
        #expect(try plan(for: tunnel, in: observed).differences == [], sourceLocation: location)
        let link = try #require(observed.link(of: tunnel.id), sourceLocation: location)
        // Reading one link tells the same as reading all.
        let single = try plane.observe(tunnel, ifindex: link.ifindex)
        #expect(single.link(of: tunnel.id) == link, sourceLocation: location)
        return link
    }
}

extension Host.Answer {
    var problem: TunnelProblem? {
        if case .failure(let problem) = self { problem } else { nil }
    }
}

// MARK: - Samples

func name(_ text: String) throws -> InterfaceName { try InterfaceName(text) }

func address(_ text: String) throws -> InterfaceAddress { try #require(InterfaceAddress(text)) }

func route(_ text: String, metric: UInt32 = 0) throws -> TunnelRoute {
    TunnelRoute(to: try IPv4Prefix(parsing: text), metric: metric)
}

/// `tun_<number>`, with endpoints like no other number's.
func tunnel(_ number: Int, _ edit: (inout TunnelDefinition) throws -> Void = { _ in }) throws -> Tunnel {
    var definition = TunnelDefinition(
        name: try name("tun_\(number)"), remote: IPv4Address(bits: 0xAC10_0100 + UInt32(number)))
    try edit(&definition)
    let digits = String(number)
    let id = try #require(
        TunnelID("01890a5d-ac96-7000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits))
    let time = Timestamp(milliseconds: 0)
    return Tunnel(id: id, definition: definition, revision: 1, createdAt: time, updatedAt: time)
}
