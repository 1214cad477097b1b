internal import Netlink
public import Tunnels

/// Tunnels as links of the kernel, in the network namespace of the thread that opened it.
public final class KernelDataPlane: DataPlane {
    public var kind: DataPlaneKind { carrier.kind }

    let carrier: any Carrier
    let socket: NetlinkSocket
    let counters: ChangeCounter
    /// The ifindex of the next link. We choose them, so that a link, its addresses and its routes share one send.
    var nextIndex = KernelDataPlane.firstIndex
    /// Link groups in use, as far as seen.
    var groups: Set<UInt32> = []
    let host: HostFiles
    let modules: ModuleWatch
    /// As of the latest batch that makes links.
    var hasIPv6: Bool
    let watch: HostWatch
    /// Bytes that fit through links that may be underlays, as last seen.
    var linkMTUs: [UInt32: Int] = [:]
    /// What each look-up of a remote ended at.
    var knownWays: [PathLookup: KnownWay] = [:]
    /// Counts up when routes may have changed, so that what was looked up before is outdated.
    var routeAge = 0
    /// The `routeAge` that the carrier knows.
    var followedAge = -1
    public internal(set) var hasMoreToSee = false
    /// Why nothing stands in for the kernel's `ipip` where there is none; nil unless that was tried.
    let obstacle: String?

    /// The kernel's own count begins at 1 and won't get here.
    package static let firstIndex: UInt32 = 1 << 20

    /// The group of our links.
    package static var linkGroup: UInt32 { Mark.group }

    /// With the kernel's own `ipip`.
    ///
    /// - Parameter obstacle: why nothing stands in for it where the kernel has none, for the refusals to tell.
    /// - Throws: where netlink can't be had at all.
    public convenience init(
        host: HostFiles = HostFiles(), counters: ChangeCounter = ChangeCounter(),
        watch: HostWatch = HostWatch(), obstacle: String? = nil
    ) throws(TunnelProblem) {
        try self.init(carrier: IPIPCarrier(), host: host, counters: counters, watch: watch, obstacle: obstacle)
    }

    /// - Throws: where netlink can't be had at all.
    package init(
        carrier: any Carrier, host: HostFiles, counters: ChangeCounter, watch: HostWatch, obstacle: String? = nil
    ) throws(TunnelProblem) {
        self.obstacle = obstacle
        self.carrier = carrier
        hasIPv6 = host.hasIPv6
        do throws(NetlinkError) {
            socket = try NetlinkSocket(counters: counters.netlink)
        } catch {
            throw TunnelProblem(error)
        }
        self.counters = counters
        self.host = host
        modules = ModuleWatch(host, driver: carrier.kind.linkKind)
        self.watch = watch
        watch.leaveOut(sender: socket.portID)
    }

    public func takeNotes() -> [ChangeNote] {
        watch.takeNotes()
    }

    public func forget() {
        routeAge += 1
    }

    public func newlyLoadedModules() -> [String] {
        modules.takeLoaded()
    }

    func takeIndex() -> UInt32 {
        defer { nextIndex = nextIndex == UInt32(Int32.max) ? Self.firstIndex : nextIndex + 1 }
        return nextIndex
    }

    /// Keeps our choice of indexes and groups clear of what was seen.
    func noteUse(of link: Link) {
        if link.index >= nextIndex, link.index < UInt32(Int32.max) { nextIndex = link.index + 1 }
        if let group = link.group, group > Mark.group, group <= Mark.lastGroup { groups.insert(group) }
    }
}

extension KernelDataPlane {
    /// To be called once, early: looks at the kernel come often, and each needs a few MiB.
    public static func prepareProcess() {
        Allocator.keepFreedPages()
    }
}

extension KernelDataPlane {
    /// Whether this kernel has `ipip`, or can load it when it is first needed. Where files tell of none, the kernel is
    /// asked to make a link that can't be.
    public static func isSupported() -> Bool {
        guard HostFiles().report().state(of: IPTunnel.kind) == .missing else { return true }
        var link = Link(name: "tunneld-probe", info: .ipip(IPTunnel(local: .any, remote: .any)))
        link.mtu = .max
        do throws(NetlinkError) {
            try NetlinkSocket().execute(.createLink(link))
            return true
        } catch {
            return error.code != .notSupported
        }
    }
}
