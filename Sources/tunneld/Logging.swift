internal import Foundation
internal import Logging
internal import Tunnels

extension Logger {
    /// Logs to standard error: the journal, a file or a terminal take it from there.
    static func daemon(_ settings: Settings) -> Logger {
        var logger = Logger(label: "tunneld") { label in
            switch settings.logFormat {
            case .text: StreamLogHandler.standardError(label: label)
            case .json: JSONLogHandler()
            }
        }
        logger.logLevel = Logger.Level(rawValue: settings.logLevel.rawValue) ?? .info
        return logger
    }
}

/// One JSON object for each line: `time`, `level`, `message`, and the metadata beside them.
struct JSONLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = ["time": "\(Timestamp.now)", "level": event.level.rawValue, "message": "\(event.message)"]
        for (key, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }) where fields[key] == nil {
            fields[key] = "\(value)"
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard var line = try? encoder.encode(fields) else { return }
        line.append(UInt8(ascii: "\n"))
        // One that is lost on a full disk or a closed pipe is; the other `write` traps there.
        try? FileHandle.standardError.write(contentsOf: line)
    }
}
