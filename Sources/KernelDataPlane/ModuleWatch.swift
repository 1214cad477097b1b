internal import Tunnels

/// Notices which modules the kernel loads when the first link of our kind is made: making it asks the kernel to
/// (`rtnl-link-ipip`, `/dev/net/tun`), so no command of ours is needed.
final class ModuleWatch {
    private let host: HostFiles
    /// The module of our links' driver.
    private let driver: String
    private var before: [HostReport.Module]?
    private var isDone = false
    private var loaded: [String] = []

    init(_ host: HostFiles, driver: String) {
        self.host = host
        self.driver = driver
    }

    func beforeCreate() {
        if !isDone { before = host.modules() }
    }

    func afterCreate() {
        guard let before else { return }
        let after = host.modules()
        loaded += zip(before, after).filter { $0.state != .loaded && $1.state == .loaded }.map(\.1.name)
        isDone =
            after.first { $0.name == driver }.map { $0.state == .loaded || $0.state == .builtIn } ?? false
        self.before = nil
    }

    /// The modules loaded since the last call.
    func takeLoaded() -> [String] {
        defer { loaded = [] }
        return loaded
    }
}
