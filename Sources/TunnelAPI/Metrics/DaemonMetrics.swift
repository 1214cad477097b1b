internal import HTTPServer
internal import Reconciler
internal import Synchronization
internal import TunnelStore
internal import Tunnels

/// What metrics tell of the daemon itself.
struct DaemonMetrics {
    let sources: API.Sources
    let sample: Sample
    /// As it was when the request came, without the request itself.
    let server: ServerStatistics?
    /// nil where it can't be known.
    private let process: ProcessFigures?
    /// Since when all is counted, as metrics write it.
    private let startedAt: String?

    init(_ sources: API.Sources, _ sample: Sample, _ server: ServerStatistics?) {
        self.sources = sources
        self.sample = sample
        self.server = server
        process = sources.process()
        startedAt = process.map { MetricsWriter.text(of: $0.startedAt) }
    }

    func write(to writer: inout MetricsWriter, _ views: [TunnelView]) {
        summary(of: views, &writer)
        reconciler(&writer)
        kernel(&writer)
        if let server { http(server, &writer) }
        if let statistics = sources.store() { store(statistics, &writer) }
        if let process { figures(of: process, &writer) }
        writer.family("tunneld_build", .info, "The version that runs.")
        writer.sample(1, MetricLabels(("version", sources.version)))
    }

    private func count(_ name: String, _ help: String, _ value: some FixedWidthInteger, _ writer: inout MetricsWriter) {
        writer.family("tunneld_\(name)", .counter, help)
        writer.count(value, since: startedAt)
    }

    private func gauge(_ name: String, _ help: String, _ value: some FixedWidthInteger, _ writer: inout MetricsWriter) {
        writer.family("tunneld_\(name)", .gauge, help)
        writer.sample(value)
    }

    private func gauge(_ name: String, _ help: String, _ value: Double, _ writer: inout MetricsWriter) {
        writer.family("tunneld_\(name)", .gauge, help)
        writer.sample(value)
    }

    private func histogram(_ name: String, _ help: String, _ value: Histogram, _ writer: inout MetricsWriter) {
        writer.family("tunneld_\(name)", .histogram, help)
        writer.histogram(value, since: startedAt)
    }

    private func summary(of views: [TunnelView], _ writer: inout MetricsWriter) {
        var counts: [TunnelStatus.State: Int] = [:]
        var suspended = 0
        for view in views {
            counts[view.status.state, default: 0] += 1
            if view.status.problem?.code == .repairSuspended { suspended += 1 }
        }
        writer.family("tunneld_tunnels", .gauge, "Tunnels by state.")
        for state in TunnelStatus.State.allCases {
            writer.sample(counts[state] ?? 0, MetricLabels(("state", state.rawValue)))
        }
        gauge("repairs_suspended", "Tunnels left alone because others keep changing them.", suspended, &writer)
        gauge(
            "sample_seconds", "What reading the counters of all tunnels took for this sample.", sample.durationSeconds,
            &writer)
        histogram(
            "sample_duration_seconds", "What reading the counters of all tunnels took.", sources.sampler.durations,
            &writer)
    }

    private func reconciler(_ writer: inout MetricsWriter) {
        let counters = sources.reconciler.counters
        func read(_ value: borrowing Atomic<Int>) -> Int { value.load(ordering: .relaxed) }
        count("looks", "Looks at the whole kernel.", read(counters.looks), &writer)
        histogram(
            "look_duration_seconds", "What looks took, with the repairs that they made.", counters.lookDurations,
            &writer)
        if let lastLook = counters.lastLook {
            writer.family(
                "tunneld_last_look_timestamp_seconds", .gauge, "When a look last ended that could read the kernel.")
            writer.sample(text: MetricsWriter.text(of: lastLook))
        }
        count("drifts", "Differences found that others made.", read(counters.drifts), &writer)
        count("adoptions", "Definitions that took over what others changed.", read(counters.adoptions), &writer)
        count("repairs", "Tunnels repaired after somebody else's change.", read(counters.repairs), &writer)
        count("pruned_links", "Links removed that belonged to no tunnel any more.", read(counters.pruned), &writer)
        count("kernel_refusals", "Plans that the kernel refused.", read(counters.failures), &writer)
        count("writes", "Writes that were done.", read(counters.writes), &writer)
        count("write_refusals", "Writes that were refused.", read(counters.refusals), &writer)
        count("write_batches", "Transactions that the writes shared.", read(counters.batches), &writer)
        histogram(
            "write_batch_duration_seconds", "What the writes of one transaction took together.",
            counters.batchDurations, &writer)
        gauge(
            "start_seconds", "What loading the tunnels and making the kernel match took.",
            Double(read(counters.startMicroseconds)) / 1e6, &writer)
        gauge(
            "plan_seconds", "What comparing the newest applied set with the tunnels took.",
            Double(read(counters.planMicroseconds)) / 1e6, &writer)
    }

    private func kernel(_ writer: inout MetricsWriter) {
        let activity = sources.kernel()
        count("kernel_changes", "Messages to the kernel that ask for a change.", activity.changes, &writer)
        count("netlink_messages", "Messages to the kernel, also those that only read.", activity.messages, &writer)
        count(
            "netlink_refusals", "Messages that the kernel refused, also those whose object was gone.",
            activity.refusals, &writer)
        count(
            "netlink_interrupted_dumps", "Lists of the kernel that changed while they were read, and were read again.",
            activity.interruptedDumps, &writer)
        count("monitor_events", "Changes on the host that the kernel told of.", activity.events, &writer)
        count("monitor_overflows", "Times that events of the kernel were lost.", activity.overflows, &writer)
    }

    private func http(_ statistics: ServerStatistics, _ writer: inout MetricsWriter) {
        writer.family("tunneld_http_responses", .counter, "Answers by the class of their status.")
        for (index, count) in statistics.responsesByClass.enumerated() {
            writer.count(count, MetricLabels(("class", "\(index + 1)xx")), since: startedAt)
        }
        count("http_sent_bytes", "Bytes of bodies sent.", statistics.sentBytes, &writer)
        count("http_received_bytes", "Bytes of bodies received.", statistics.receivedBytes, &writer)
        count("http_connections", "Connections accepted.", statistics.acceptedConnections, &writer)
        gauge("http_open_connections", "Connections that are open.", statistics.openConnections, &writer)
        gauge(
            "http_deferred_answers", "Requests whose answer is due: writes, and those who wait for a tunnel.",
            statistics.deferredAnswers, &writer)
        gauge("http_open_streams", "Streams that are open.", statistics.openStreams, &writer)
    }

    private func store(_ statistics: StoreStatistics, _ writer: inout MetricsWriter) {
        histogram(
            "sqlite_commit_duration_seconds", "What commits took, with their wait for the disk.", statistics.commits,
            &writer)
        count("sqlite_rollbacks", "Transactions taken back.", statistics.rollbacks, &writer)
        count("sqlite_full", "Transactions for which no space was left.", statistics.withoutSpace, &writer)
        if let bytes = statistics.databaseBytes {
            gauge("sqlite_database_bytes", "The size of the database's file.", bytes, &writer)
        }
        if let bytes = statistics.logBytes {
            gauge("sqlite_wal_bytes", "The size of the write-ahead log beside it.", bytes, &writer)
        }
    }

    /// Under the names that Prometheus' own libraries use.
    private func figures(of process: ProcessFigures, _ writer: inout MetricsWriter) {
        writer.family("process_cpu_seconds", .counter, "Total user and system CPU time spent in seconds.")
        writer.count(process.cpuSeconds, since: startedAt)
        let gauges: [(String, String, Int)] = [
            ("resident_memory_bytes", "Resident memory size in bytes.", process.residentBytes),
            ("virtual_memory_bytes", "Virtual memory size in bytes.", process.virtualBytes),
            ("open_fds", "Number of open file descriptors.", process.openFiles),
            ("max_fds", "Maximum number of open file descriptors.", process.maximumFiles),
        ]
        for (name, help, value) in gauges {
            writer.family("process_\(name)", .gauge, help)
            writer.sample(value)
        }
        writer.family(
            "process_start_time_seconds", .gauge, "Start time of the process since unix epoch in seconds.")
        writer.sample(text: MetricsWriter.text(of: process.startedAt))
    }
}
