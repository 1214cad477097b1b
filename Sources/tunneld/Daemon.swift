internal import Echo
internal import Foundation
internal import HTTPServer
internal import History
internal import KernelDataPlane
internal import Logging
internal import Reconciler
internal import TunnelAPI
internal import TunnelStore
internal import Tunnels

/// The parts of the daemon, put together.
struct Daemon {
    private let settings: Settings
    private let logger: Logger
    private let store: TunnelStore
    private let tokens: TunnelStore
    private let reconciler: Reconciler
    private let sampler: Sampler
    private let history: RateHistory
    private let claim: NamespaceClaim
    private let monitor: KernelMonitor
    private let api: API
    private let server: Server

    init(_ settings: Settings) throws(Failure) {
        self.settings = settings
        let logger = Logger.daemon(settings)
        self.logger = logger
        KernelDataPlane.prepareProcess()
        OpenFiles.raiseLimit()
        do {
            let store = try TunnelStore(path: settings.database)
            // Tokens over a connection of their own: who asks with one never waits for the writer.
            let tokens = try TunnelStore(path: settings.database, as: .visitor)
            claim = try NamespaceClaim()
            let watch = HostWatch()
            let changes = ChangeCounter()
            // Before anything is looked at, so that no change in between is missed.
            let monitor = try KernelMonitor(watch: watch, filters: settings.dataPlane != .kernel)
            let carrying = try DataPlanes.open(settings.dataPlane, changes: changes, watch: watch, logger: logger)
            let (kind, counters, standIn) = (carrying.plane.kind, carrying.counters, carrying.standIn)
            let reconciler = Reconciler(
                store: store, plane: carrying.plane, prober: .echoes(logger: logger), logger: logger)
            let reader = try KernelReader()
            let sampler = Sampler(source: counters, directory: reconciler.directory)
            // Beside the database, in a file of its own: a write of the one waits for none of the other.
            let history = RateHistory(
                directory: reconciler.directory, path: store.path + ".history", budget: settings.historyBudget,
                logger: logger)
            sampler.onSample { history.record($0) }
            let statistics = StatisticsSource()
            let api = API(
                API.Sources(
                    reconciler: reconciler, history: tokens, sampler: sampler, rates: history, dataPlane: kind,
                    version: Version.text,
                    tokens: { () throws(StoreError) in try tokens.tokens() },
                    tokensVersion: { () throws(StoreError) in try tokens.dataVersion() },
                    host: {
                        var report = HostFiles().report()
                        report.standIn = standIn
                        return report
                    },
                    links: HostLinks(reader: reader, directory: reconciler.directory, plane: kind).list,
                    routes: { () throws(TunnelProblem) in try reader.routes() },
                    drifts: { (tunnel, before, limit, isOpen) throws(StoreError) in
                        try tokens.drifts(of: tunnel, before: before, limit: limit, isOpen: isOpen)
                    },
                    kernelChanges: { changes.value }, monitorOverflows: { monitor.overflows },
                    server: { statistics.current },
                    unreadiness: {
                        reconciler.canReadKernel ? nil : "The kernel's links can't be read; the log says why."
                    }),
                logger: logger)
            let server = try Server(
                router: Router(api.routes), logger: logger, authorize: { try api.authorize(&$0, $1) },
                onError: { api.response(to: $0, $1) })
            statistics.set(server)
            try store.deliverEvents { api.publish($0) }
            self.store = store
            self.tokens = tokens
            self.reconciler = reconciler
            self.sampler = sampler
            self.history = history
            self.monitor = monitor
            self.api = api
            self.server = server
        } catch {
            throw Failure("\(error)")
        }
    }

    /// Serves until a signal says to stop. The tunnels stay.
    func run() async throws(Failure) {
        Signals.ignoreBrokenPipes()
        let signals = Signals(Signals.stop)
        do {
            // Addresses first: a second daemon ends here, before it touches the kernel. Answers last: nobody is told
            // of a state that isn't.
            let addresses = try bind()
            monitor.start { [reconciler] in reconciler.kernelChanged() }
            try await reconciler.start(armMonitor: { [monitor] in monitor.arm() })
            sampler.run()
            try server.serve()
            for address in addresses { hint(at: address) }
        } catch {
            server.stop(grace: .zero)
            throw Failure("\(error)")
        }
        let watch = watchTokens()
        for await signal in signals.received {
            logger.notice("stopping", metadata: ["signal": "\(signal)"])
            break
        }
        watch.cancel()
        api.stopWaiting()
        server.stop()
        sampler.stop()
        await reconciler.stop()
        history.stop()
        withExtendedLifetime(claim) {}
        do { try store.checkpoint() } catch { logger.warning("\(error)") }
    }

    private func bind() throws -> [ListenAddress] {
        try settings.listen.map { text in
            let address = try ListenAddress(text)
            var group: String?
            if case .unix(let path) = address {
                let folder = URL(filePath: path).deletingLastPathComponent()
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
                group = SystemGroup.id(named: Self.group).map { _ in Self.group }
            }
            return try server.bind(to: address, socketGroup: group)
        }
    }

    private static let group = "tunneld"

    /// Prints how to talk to the daemon, in words that work as they are.
    private func hint(at address: ListenAddress) {
        let program = CommandLine.arguments.first ?? "tunneld"
        let database = settings.database == Settings.defaultDatabase ? "" : " --database \(settings.database)"
        let command =
            switch address {
            case .unix(let path): "curl --unix-socket \(path) http://localhost/v1/tunnels"
            case .tcp:
                "curl -H \"Authorization: Bearer $(\(program) token create --scope write\(database))\" "
                    + "http://\(address)/v1/tunnels"
            }
        // Lost where it can't be written; the other `write` traps there.
        try? FileHandle.standardOutput.write(
            contentsOf: Data("tunneld answers on \(address): \(command)\n".utf8))
    }

    /// `tunneld token` works on the database beside us: what it revokes must be refused within a second.
    private func watchTokens() -> Task<Void, Never> {
        Task { [store, tokens, api, logger] in
            var known: Int64?
            while !Task.isCancelled {
                do {
                    let version = try tokens.dataVersion()
                    if version != known {
                        try api.refreshTokens()
                        store.deliverMissedEvents()
                    }
                    known = version
                } catch {
                    logger.error("tokens not read", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: .milliseconds(500))
            }
        }
    }
}

extension Settings {
    fileprivate var historyBudget: RateHistory.Budget {
        var budget = RateHistory.Budget()
        (budget.memoryBytes, budget.diskBytes) = (historyMemory << 20, historyDisk << 20)
        return budget
    }
}

extension Prober {
    /// Asks with ICMP echoes, one each second.
    fileprivate static func echoes(logger: Logger) -> Prober {
        var prober = Prober { question, answered in
            let question = Echo.Question(question.address, through: question.link.text, from: question.source)
            let echo = Echo(question, logger: logger, answered: answered)
            return { echo.cancel() }
        }
        prober.obstacle = { Echo.obstacle }
        return prober
    }
}
