internal import Foundation
internal import Tunnels

/// The host's processes, as far as they may be who asked the kernel for something.
struct Processes {
    private let own = getpid()
    /// Of the thread that made it: who listens here hears of this namespace alone.
    private let namespace = Self.namespace(of: "thread-self")

    /// Who holds a netlink port; nil where that can't be told: for ports that are no process id, and for ids of
    /// processes that are elsewhere or gone.
    func author(_ port: UInt32) -> ChangeAuthor? {
        guard let pid = Int32(exactly: port), pid > 0, pid != own else { return nil }
        // The port is the id in the sender's own process namespace; one of another network namespace isn't meant.
        guard let found = Self.namespace(of: "\(pid)"), found == namespace else { return nil }
        return ChangeAuthor(pid: pid, program: Self.program(pid))
    }

    private static func namespace(of process: String) -> String? {
        try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/ns/net")
    }

    private static func program(_ pid: Int32) -> String? {
        guard let bytes = FileManager.default.contents(atPath: "/proc/\(pid)/comm") else { return nil }
        let name = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != 0 }, as: UTF8.self)
        return name.isEmpty ? nil : name
    }
}
