internal import ArgumentParser
internal import Foundation

/// The options of `serve`. Each may come from the command line, the environment (`TUNNELD_LISTEN`, …), the config
/// file, or its default; the first that has it decides.
struct Settings: Equatable {
    var listen = ["127.0.0.1:8080", "unix:/run/tunneld/tunneld.sock"]
    var database = Settings.defaultDatabase
    var dataPlane = DataPlaneChoice.auto
    /// MiB.
    var historyMemory = 128
    /// MiB.
    var historyDisk = 512
    var logFormat = LogFormat.text
    var logLevel = LogLevel.info

    /// MiB that history may be given: what can be counted in bytes with ease.
    static let historyLimits = 0...1_048_576

    static let defaultDatabase = "/var/lib/tunneld/tunneld.db"

    /// What one source gives; nil for what it leaves open.
    struct Layer: Decodable, Equatable {
        var listen: [String]?
        var database: String?
        var dataPlane: DataPlaneChoice?
        var historyMemory: Int?
        var historyDisk: Int?
        var logFormat: LogFormat?
        var logLevel: LogLevel?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case listen, database
            case dataPlane = "data_plane"
            case historyMemory = "history_memory"
            case historyDisk = "history_disk"
            case logFormat = "log_format"
            case logLevel = "log_level"
        }
    }

    /// - Parameter layers: the one that decides first.
    init(_ layers: [Layer]) throws(Failure) {
        for layer in layers.reversed() {
            listen = layer.listen ?? listen
            database = layer.database ?? database
            dataPlane = layer.dataPlane ?? dataPlane
            historyMemory = layer.historyMemory ?? historyMemory
            historyDisk = layer.historyDisk ?? historyDisk
            logFormat = layer.logFormat ?? logFormat
            logLevel = layer.logLevel ?? logLevel
        }
        for (name, value) in [("history-memory", historyMemory), ("history-disk", historyDisk)]
        where !Self.historyLimits.contains(value) {
            let (least, most) = (Self.historyLimits.lowerBound, Self.historyLimits.upperBound)
            throw Failure("\(name) is \(value); give \(least) to \(most) MiB.")
        }
    }
}

enum DataPlaneChoice: String, Decodable, CaseIterable, ExpressibleByArgument {
    case auto, kernel, bpf
}

enum LogFormat: String, Decodable, CaseIterable, ExpressibleByArgument {
    case text, json
}

enum LogLevel: String, Decodable, CaseIterable, ExpressibleByArgument {
    case debug, info, notice, warning, error
}

extension Settings.Layer {
    /// `TUNNELD_LISTEN` (several addresses are separated by commas), `TUNNELD_DATABASE`, `TUNNELD_DATA_PLANE`, ….
    init(environment: [String: String]) throws(Failure) {
        listen = environment["TUNNELD_LISTEN"].map { $0.split(separator: ",").map(String.init) }
        database = environment["TUNNELD_DATABASE"]
        dataPlane = try Self.choice("TUNNELD_DATA_PLANE", in: environment)
        historyMemory = try Self.number("TUNNELD_HISTORY_MEMORY", in: environment)
        historyDisk = try Self.number("TUNNELD_HISTORY_DISK", in: environment)
        logFormat = try Self.choice("TUNNELD_LOG_FORMAT", in: environment)
        logLevel = try Self.choice("TUNNELD_LOG_LEVEL", in: environment)
    }

    private static func choice<Choice: RawRepresentable & CaseIterable>(
        _ variable: String, in environment: [String: String]
    ) throws(Failure) -> Choice? where Choice.RawValue == String {
        guard let text = environment[variable] else { return nil }
        if let choice = Choice(rawValue: text) { return choice }
        let choices = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        throw Failure("\(variable) is \"\(text)\"; give one of \(choices).")
    }

    private static func number(_ variable: String, in environment: [String: String]) throws(Failure) -> Int? {
        guard let text = environment[variable] else { return nil }
        guard let number = Int(text) else { throw Failure("\(variable) is \"\(text)\"; give a number of MiB.") }
        return number
    }

    /// A JSON object whose keys are the options' names with underscores: `{"listen": ["127.0.0.1:8080"]}`.
    init(file path: String) throws(Failure) {
        do {
            let data = try Data(contentsOf: URL(filePath: path))
            let keys = try JSONDecoder().decode([String: AnyKey].self, from: data).keys
            let known = CodingKeys.allCases.map(\.rawValue)
            if let unknown = keys.sorted().first(where: { !known.contains($0) }) {
                throw Failure(
                    "\(path): there is no setting \"\(unknown)\"; there are \(known.joined(separator: ", ")).")
            }
            self = try JSONDecoder().decode(Self.self, from: data)
        } catch let failure as Failure {
            throw failure
        } catch let error as DecodingError {
            throw Failure("\(path): \(Self.explain(error))")
        } catch {
            throw Failure("\(path) can't be read: \(error.localizedDescription)")
        }
    }

    /// A value of any type: only its key matters.
    private struct AnyKey: Decodable {
        init(from decoder: any Decoder) {}
    }

    private static func explain(_ error: DecodingError) -> String {
        switch error {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
            .dataCorrupted(let context):
            let place = context.codingPath.map(\.stringValue).joined(separator: ".")
            return (place.isEmpty ? "" : place + ": ") + context.debugDescription
        @unknown default: return "\(error)"
        }
    }
}
