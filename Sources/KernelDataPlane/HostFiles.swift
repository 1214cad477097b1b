internal import Foundation
public import Tunnels

/// What the kernel tells about itself in files.
public struct HostFiles: Sendable {
    private let root: String

    /// - Parameter root: where `proc`, `sys` and `lib` are; a folder of a test's own, or nothing.
    public init(root: String = "") {
        self.root = root
    }

    /// The modules that a tunnel needs: `ipip` needs the next two; `tun` is for hosts without it.
    public static let moduleNames = ["ipip", "tun", "ip_tunnel", "tunnel4"]

    public func report() -> HostReport {
        let capabilities = effectiveCapabilities
        return HostReport(
            kernelRelease: kernelRelease, hostname: line("/proc/sys/kernel/hostname") ?? "",
            modules: modules(),
            forwardsIPv4: line("/proc/sys/net/ipv4/ip_forward").map { $0 != "0" },
            reversePathFilter: line("/proc/sys/net/ipv4/conf/all/rp_filter").flatMap { Int($0) },
            // CAP_NET_ADMIN and CAP_SYS_MODULE in linux/capability.h
            canAdministerNetwork: capabilities >> 12 & 1 == 1, canLoadModules: capabilities >> 16 & 1 == 1)
    }

    func modules() -> [HostReport.Module] {
        let loaded = Set(
            lines("/proc/modules").compactMap { $0.split(separator: " ").first.map(String.init) })
        let folder = "/lib/modules/\(kernelRelease)"
        let builtIn = Self.names(in: lines("\(folder)/modules.builtin"))
        let installed = Self.names(in: lines("\(folder)/modules.dep"))
        return Self.moduleNames.map { name in
            let state: HostReport.Module.State =
                if loaded.contains(name) { .loaded } else if builtIn.contains(name) || isInKernel(name) {
                    .builtIn
                } else if installed.contains(name) { .loadable } else { .missing }
            return HostReport.Module(name: name, state: state)
        }
    }

    /// What `modules.builtin` doesn't tell where a kernel came without it: traces that the running one leaves.
    private func isInKernel(_ name: String) -> Bool {
        let traces =
            ["/sys/module/\(name)"]
            + (name == "tun" ? ["/sys/class/misc/tun"] : ["/proc/sys/net/ipv4/conf/tunl0"])
        return traces.contains { FileManager.default.fileExists(atPath: root + $0) }
    }

    /// Whether links get IPv6 addresses of their own: not where the kernel has no IPv6, or hasn't loaded it yet.
    var hasIPv6: Bool { FileManager.default.fileExists(atPath: root + "/proc/sys/net/ipv6") }

    /// `kernel/net/ipv4/ipip.ko.xz: …` names `ipip`.
    private static func names(in lines: [Substring]) -> Set<String> {
        Set(
            lines.compactMap { line in
                let path = line.prefix { $0 != ":" }
                let file = path.split(separator: "/").last
                return file?.split(separator: ".").first.map { String($0).replacing("-", with: "_") }
            })
    }

    /// Names this boot of the host and this network namespace: where a link's number means one link.
    public var place: String {
        let namespace = try? FileManager.default.destinationOfSymbolicLink(atPath: root + "/proc/self/ns/net")
        return "\(line("/proc/sys/kernel/random/boot_id") ?? "") \(namespace ?? "")"
    }

    private var kernelRelease: String {
        line("/proc/sys/kernel/osrelease") ?? "unknown"
    }

    private var effectiveCapabilities: UInt64 {
        let prefix = "CapEff:\t"
        let line = lines("/proc/self/status").first { $0.hasPrefix(prefix) }
        return line.flatMap { UInt64($0.dropFirst(prefix.count), radix: 16) } ?? 0
    }

    private func line(_ path: String) -> String? {
        lines(path).first.map(String.init)
    }

    private func lines(_ path: String) -> [Substring] {
        guard let text = try? String(contentsOfFile: root + path, encoding: .utf8) else { return [] }
        return text.split(separator: "\n")
    }
}
