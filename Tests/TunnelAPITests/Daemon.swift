import HTTPServer
import History
import Logging
import Reconciler
import Synchronization
import Testing
import TunnelStore
import Tunnels

@testable import TunnelAPI

/// The API on a real server, a real database in memory and a kernel of values.
final class Daemon: Sendable {
    let kernel = FakeKernel()
    let store: TunnelStore
    let clock = Clock()
    /// What the database says of other processes' writes.
    let databaseVersion = DatabaseVersion()
    /// In memory alone.
    let history: RateHistory
    let server: Server
    let api: API
    let sampler: Sampler
    /// Answers to root and, as the tests have it, to everybody.
    let unix: ListenAddress
    let tcp: ListenAddress

    /// Moves when it is told to, and lets the API's timers go off that are due then.
    final class Clock: Sendable {
        private struct State {
            var uptime = Duration.seconds(1000)
            var timers: [(due: Duration, action: @Sendable () -> Void)] = []
        }

        private let state = Mutex(State())

        var uptime: Duration { state.withLock { $0.uptime } }

        func set(_ delay: Duration, _ action: @escaping @Sendable () -> Void) {
            state.withLock { $0.timers.append(($0.uptime + delay, action)) }
        }

        func advance(by duration: Duration) {
            let due = state.withLock { state in
                state.uptime += duration
                let now = state.uptime
                defer { state.timers.removeAll { $0.due <= now } }
                return state.timers.filter { $0.due <= now }
            }
            for timer in due { timer.action() }
        }
    }

    /// The server's statistics for the API that the server needs.
    private final class Served: Sendable {
        let server = Mutex<Server?>(nil)
    }

    final class DatabaseVersion: Sendable {
        let number = Atomic<Int64>(0)
    }

    init(limits: Reconciler.Limits = .init(), unreadiness: String? = nil, isMember: Bool = true) async throws {
        store = try TunnelStore.inMemory()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let (clock, databaseVersion) = (clock, databaseVersion)
        // Nothing is looked at again by itself: tests say when.
        let timing = Timing(
            now: { Timestamp(milliseconds: 1_767_323_045_678) }, uptime: { clock.uptime }, after: { _, _ in })
        var apiTiming = timing
        apiTiming.after = { clock.set($0, $1) }
        let reconciler = Reconciler(
            store: store, plane: FakePlane(kernel), limits: limits, timing: timing, logger: logger)
        try await reconciler.start()
        let sampler = Sampler(source: kernel, directory: reconciler.directory, timing: apiTiming)
        self.sampler = sampler
        var budget = RateHistory.Budget()
        (budget.memoryBytes, budget.diskBytes) = (1 << 20, 0)
        history = RateHistory(directory: reconciler.directory, path: "", budget: budget, logger: logger)
        let store = store
        let served = Served()
        let loopback = InterfaceAddress(local: IPv4Address(127, 0, 0, 1), prefixLength: 8)
        let module = HostReport.Module(name: "ipip", state: .missing)
        let host = HostReport(
            kernelRelease: "6.1.0", hostname: "a", modules: [module], forwardsIPv4: nil, reversePathFilter: 1,
            canAdministerNetwork: true, canLoadModules: false)
        api = API(
            API.Sources(
                reconciler: reconciler, history: store, sampler: sampler, rates: history, dataPlane: .kernel,
                version: "1.2.3",
                tokens: { () throws(StoreError) in try store.tokens() },
                tokensVersion: { () throws(StoreError) in databaseVersion.number.load(ordering: .relaxed) },
                isMember: { _ in isMember },
                host: { host },
                links: { [kernel] in
                    let lo = ObservedLink(
                        ifindex: 1, name: "lo", kind: "", isUp: true, mtu: 65536, addresses: [loopback])
                    return kernel.state.withLock { state in
                        let found = state.unmanaged.values.sorted { $0.link.ifindex < $1.link.ifindex }
                        return [HostLink(lo)] + state.links.values.map { HostLink($0) }
                            + found.map { found in
                                let adoption = Adoption(of: found, on: .kernel, besides: TakenPlaces([]))
                                return HostLink(found.link, adoption: adoption)
                            }
                    }
                },
                routes: {
                    let prefix = IPv4Prefix(containing: IPv4Address(10, 0, 0, 0), length: 8)
                    return [
                        ObservedRoute(
                            to: prefix, via: IPv4Address(10, 0, 0, 1), link: "eth0", metric: 0, table: 254,
                            protocol: 3, isManaged: false)
                    ]
                },
                drifts: { (tunnel, before, limit, isOpen) throws(StoreError) in
                    try store.drifts(of: tunnel, before: before, limit: limit, isOpen: isOpen)
                },
                kernel: { Self.activity }, store: { store.statistics }, process: { Self.figures },
                server: { served.server.withLock { $0?.statistics } }, unreadiness: { unreadiness },
                timing: apiTiming),
            logger: logger)
        let api = api
        server = try Server(
            router: Router(api.routes), logger: logger, authorize: { try api.authorize(&$0, $1) },
            onError: { api.response(to: $0, $1) })
        let server = server
        served.server.withLock { $0 = server }
        try store.deliverEvents { api.publish($0) }
        let path = "/tmp/tunneld-api-test-\(UInt64.random(in: 0 ... .max)).sock"
        unix = try server.listen(on: .unix(path: path))
        tcp = try server.listen(on: .tcp(address: "127.0.0.1", port: 0))
    }

    private static var activity: KernelActivity {
        var activity = KernelActivity()
        (activity.changes, activity.messages, activity.refusals) = (1, 2, 3)
        (activity.interruptedDumps, activity.events, activity.overflows) = (4, 5, 6)
        return activity
    }

    private static let figures = ProcessFigures(
        startedAt: Timestamp(milliseconds: 1_767_323_000_250), cpuSeconds: 1.5, residentBytes: 4096, virtualBytes: 8192,
        openFiles: 10, maximumFiles: 1024)

    func stop() {
        sampler.stop()
        server.stop(grace: .zero)
    }

    /// Over the unix socket; a body is sent as JSON unless a Content-Type is given.
    func ask(
        _ method: String, _ target: String, _ body: String? = nil, headers: [String] = []
    ) throws -> HTTPAnswer {
        var headers = headers
        if body != nil, !headers.contains(where: { $0.hasPrefix("Content-Type") }) {
            headers.append("Content-Type: application/json")
        }
        return try send(method, target, headers: headers, body: body, to: unix)
    }

    func createToken(_ scope: Token.Scope) throws -> (text: String, token: Token) {
        let text = BearerToken.random(prefix: "tun_")
        let digest = SHA256Digest(of: text).bytes
        let now = Timestamp(milliseconds: 0)
        return (text, try store.createToken(name: "", scope: scope, digest: digest, at: now, by: "test"))
    }
}

extension HTTPAnswer {
    var json: JSONValue? { try? JSONReader.read(body) }

    /// A member, or a member of a member: `status.state`.
    subscript(path: String) -> JSONValue? {
        path.split(separator: ".").reduce(json) { value, name in
            switch value {
            case .object(let members): members[String(name)]
            case .array(let elements):
                Int(name).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
            default: nil
            }
        }
    }

    /// Checks status and type of a problem.
    func expect(
        _ status: Int, _ type: ProblemType, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(self.status == status, "\(text)", sourceLocation: sourceLocation)
        #expect(headers["content-type"] == "application/problem+json", sourceLocation: sourceLocation)
        #expect(self["type"] == .string(type.reference), "\(text)", sourceLocation: sourceLocation)
        #expect(self["status"] == .integer(Int64(status)), sourceLocation: sourceLocation)
    }
}

/// Runs `body` with a daemon that is stopped afterwards.
func withDaemon(
    limits: Reconciler.Limits = .init(), unreadiness: String? = nil, isMember: Bool = true,
    _ body: (Daemon) async throws -> Void
) async throws {
    let daemon = try await Daemon(limits: limits, unreadiness: unreadiness, isMember: isMember)
    defer { daemon.stop() }
    try await body(daemon)
}
