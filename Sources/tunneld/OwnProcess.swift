internal import Foundation
internal import Glibc
internal import TunnelAPI
internal import Tunnels

/// This process as `/proc` shows it (`proc(5)`).
struct OwnProcess: Sendable {
    private let startedAt: Timestamp
    private let ticksPerSecond: Double
    private let pageBytes: Int

    /// nil where `/proc` can't be read.
    init?() {
        let ticks = sysconf(Int32(_SC_CLK_TCK))
        guard ticks > 0, let fields = Self.statFields(), let started = Double(fields[Field.startTicks]),
            let booted = Self.bootSeconds()
        else { return nil }
        ticksPerSecond = Double(ticks)
        pageBytes = sysconf(Int32(_SC_PAGESIZE))
        startedAt = Timestamp(milliseconds: Int64((booted + started / ticksPerSecond) * 1000))
    }

    /// nil where `/proc` can't be read.
    var figures: ProcessFigures? {
        guard let fields = Self.statFields(), let user = Double(fields[Field.userTicks]),
            let system = Double(fields[Field.systemTicks]), let virtual = Int(fields[Field.virtualBytes]),
            let resident = Int(fields[Field.residentPages]),
            let open = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        else { return nil }
        return ProcessFigures(
            startedAt: startedAt, cpuSeconds: (user + system) / ticksPerSecond, residentBytes: resident * pageBytes,
            // Without the one that reads the folder.
            virtualBytes: virtual, openFiles: open.count - 1, maximumFiles: OpenFiles.limit)
    }

    /// Of `/proc/self/stat`, counted from the one after the program's name.
    private enum Field {
        static let userTicks = 11
        static let systemTicks = 12
        static let startTicks = 19
        static let virtualBytes = 20
        static let residentPages = 21
    }

    private static func statFields() -> [Substring]? {
        // The name, in brackets, may hold anything.
        guard let text = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
            let name = text.lastIndex(of: ")")
        else { return nil }
        let fields = text[text.index(after: name)...].split(separator: " ")
        return fields.count > Field.residentPages ? fields : nil
    }

    /// When the host was booted, in seconds since 1970.
    private static func bootSeconds() -> Double? {
        guard let text = try? String(contentsOfFile: "/proc/stat", encoding: .utf8) else { return nil }
        let line = text.split(separator: "\n").first { $0.hasPrefix("btime ") }
        return line.flatMap { Double($0.dropFirst("btime ".count)) }
    }
}
