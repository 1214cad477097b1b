public import HTTPServer
public import History
public import Logging
public import Reconciler
public import TunnelStore
public import Tunnels

/// The HTTP API: its routes, who may use them, and what becomes of errors. `openapi.yaml` is its contract.
public struct API: Sendable {
    /// Reads at most `limit` rows of the ledger.
    public typealias Drifts =
        @Sendable (
            _ tunnel: TunnelID, _ before: Int64?, _ limit: Int, _ isOpen: Bool
        ) throws(StoreError) -> [DriftRecord]

    /// Where answers come from.
    public struct Sources: Sendable {
        public var reconciler: Reconciler
        public var sampler: Sampler
        public var rates: RateHistory
        public var dataPlane: DataPlaneKind
        /// Shown by `/v1/version`.
        public var version: String
        /// All tokens, as stored; called on the server's threads, at most once a second for strangers.
        public var tokens: @Sendable () throws(StoreError) -> [Token]
        /// Changes when another process has written to the database.
        public var tokensVersion: @Sendable () throws(StoreError) -> Int64
        /// Whether a user may use the unix socket; root always may. May block.
        public var isMember: @Sendable (_ uid: UInt32) -> Bool
        public var host: @Sendable () -> HostReport
        public var links: @Sendable () throws(TunnelProblem) -> [HostLink]
        public var routes: @Sendable () throws(TunnelProblem) -> [ObservedRoute]
        /// The ledger of drift of one tunnel, from before a row on, the newest first; or only what is open of it.
        public var drifts: Drifts
        /// What the kernel was asked and what it told since the start.
        public var kernel: @Sendable () -> KernelActivity
        /// nil where the store isn't to be told of.
        public var store: @Sendable () -> StoreStatistics?
        /// nil where it can't be known.
        public var process: @Sendable () -> ProcessFigures?
        /// nil until the server is made.
        public var server: @Sendable () -> ServerStatistics?
        /// Why the daemon isn't ready, for people; nil when it is.
        public var unreadiness: @Sendable () -> String?
        /// The database over a connection that doesn't wait for the writer.
        public var history: TunnelStore
        public var timing: Timing

        public init(
            reconciler: Reconciler, history: TunnelStore, sampler: Sampler, rates: RateHistory,
            dataPlane: DataPlaneKind, version: String,
            tokens: @escaping @Sendable () throws(StoreError) -> [Token],
            tokensVersion: @escaping @Sendable () throws(StoreError) -> Int64 = { () throws(StoreError) in 0 },
            isMember: @escaping @Sendable (_ uid: UInt32) -> Bool = {
                SystemGroup.contains(user: $0, group: "tunneld")
            },
            host: @escaping @Sendable () -> HostReport,
            links: @escaping @Sendable () throws(TunnelProblem) -> [HostLink],
            routes: @escaping @Sendable () throws(TunnelProblem) -> [ObservedRoute],
            drifts: @escaping Drifts,
            kernel: @escaping @Sendable () -> KernelActivity = { KernelActivity() },
            store: @escaping @Sendable () -> StoreStatistics? = { nil },
            process: @escaping @Sendable () -> ProcessFigures? = { nil },
            server: @escaping @Sendable () -> ServerStatistics? = { nil },
            unreadiness: @escaping @Sendable () -> String? = { nil }, timing: Timing = .system
        ) {
            self.reconciler = reconciler
            self.history = history
            self.sampler = sampler
            self.rates = rates
            self.dataPlane = dataPlane
            self.version = version
            self.tokens = tokens
            self.tokensVersion = tokensVersion
            self.isMember = isMember
            self.host = host
            self.links = links
            self.routes = routes
            self.drifts = drifts
            self.kernel = kernel
            self.store = store
            self.process = process
            self.server = server
            self.unreadiness = unreadiness
            self.timing = timing
        }
    }

    public let routes: [Route]
    private let authorization: Authorization
    private let streams: EventStreams
    private let samples: SampleStreams
    let watchers: Watchers
    private let logger: Logger

    public init(_ sources: Sources, logger: Logger) {
        let server = ServerController(version: sources.version, unreadiness: sources.unreadiness)
        streams = EventStreams(history: sources.history, timing: sources.timing, logger: logger)
        let authorization = Authorization(
            tokens: sources.tokens, version: sources.tokensVersion, isMember: sources.isMember, timing: sources.timing)
        let directory = sources.reconciler.directory
        watchers = Watchers(directory: directory, timing: sources.timing)
        let waits = TunnelWaits(watchers: watchers, directory: directory) { authorization.stillHolds($0) }
        let samples = SampleStreams(sampler: sources.sampler, directory: directory, timing: sources.timing)
        sources.sampler.onSample { samples.publish($0) }
        self.samples = samples
        let retries = Retries(history: sources.history, timing: sources.timing)
        routes =
            TunnelController(reconciler: sources.reconciler, waits: waits, retries: retries).routes
            + ApplyController(reconciler: sources.reconciler, retries: retries).routes
            + StatsController(reconciler: sources.reconciler, sampler: sources.sampler, streams: samples).routes
            + HistoryController(directory: directory, history: sources.rates, timing: sources.timing).routes
            + DriftController(reconciler: sources.reconciler, drifts: sources.drifts).routes
            + CheckpointController(reconciler: sources.reconciler, retries: retries).routes
            + HostController(sources).routes
            + LinkController(sources, retries: retries).routes
            + EventController(history: sources.history, streams: streams).routes
            + MetricsController(sources).routes
            + server.routes
            + PageController().routes
        self.authorization = authorization
        self.logger = logger
    }

    /// For `Server.init(authorize:)`.
    public func authorize(_ request: inout Request, _ route: Route?) throws -> Response? {
        if let route, route.isOpen { return nil }
        // Whether there is such a path or method is told to those who may read.
        let isRead = route.map { $0.method == .get } ?? true
        request.principal = try authorization.principal(of: request, needing: isRead ? .read : .write)
        return nil
    }

    /// For `Server.init(onError:)`.
    public func response(to error: any Error, _ request: Request?) -> Response {
        if let problem = Problem(error) {
            if problem.status >= 500 { logFailure(error, request, .warning) }
            return Response(problem)
        }
        logFailure(error, request, .error)
        return Response(Problem(HTTPError.internalError))
    }

    /// Reads the tokens again, and ends the streams of those that were revoked; to be called when another process has
    /// changed the database.
    public func refreshTokens() throws(StoreError) {
        try authorization.refreshTokens()
        streams.endStreams { [authorization] in !authorization.stillHolds($0) }
        samples.endStreams { [authorization] in !authorization.stillHolds($0) }
    }

    /// Sends events that were committed to all who wait for them: for `TunnelStore.deliverEvents(to:)`.
    public func publish(_ events: [StoredEvent]) {
        streams.publish(events)
    }

    /// Answers those who wait for a tunnel, and all who come after: to be called before the server is stopped, which waits
    /// for answers.
    public func stopWaiting() {
        watchers.stop()
    }

    private func logFailure(_ error: any Error, _ request: Request?, _ level: Logger.Level) {
        let metadata: Logger.Metadata = [
            "method": "\(request?.method.rawValue ?? "-")", "path": "\(request?.target.rawPath ?? "-")",
            "error": "\(error)",
        ]
        logger.log(level: level, "Request failed", metadata: metadata)
    }
}
