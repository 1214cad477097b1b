internal import ArgumentParser
internal import Foundation

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Run the daemon until SIGTERM or SIGINT; the tunnels stay up afterwards.")

    @Option(
        help:
            "Where to listen: address:port or unix:/path; may be repeated (default: 127.0.0.1:8080 and unix:/run/tunneld/tunneld.sock)."
    )
    var listen: [String] = []

    @Option(help: "The SQLite file (default: \(Settings.defaultDatabase)).")
    var database: String?

    @Option(help: "What carries the packets (default: auto).")
    var dataPlane: DataPlaneChoice?

    @Option(help: "MiB of memory for the history of statistics; 0 for no history (default: 128).")
    var historyMemory: Int?

    @Option(help: "MiB of its file, beside the database; 0 for none (default: 512).")
    var historyDisk: Int?

    @Option(help: "A JSON file with these options, as {\"log_level\": \"debug\"}.")
    var config: String?

    @Option(help: "(default: text)")
    var logFormat: LogFormat?

    @Option(help: "(default: info)")
    var logLevel: LogLevel?

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        var layers = [
            Settings.Layer(
                listen: listen.isEmpty ? nil : listen, database: database, dataPlane: dataPlane,
                historyMemory: historyMemory, historyDisk: historyDisk, logFormat: logFormat, logLevel: logLevel),
            try Settings.Layer(environment: environment),
        ]
        if let path = config ?? environment["TUNNELD_CONFIG"] { layers.append(try Settings.Layer(file: path)) }
        let daemon = try Daemon(try Settings(layers))
        try await daemon.run()
    }
}
