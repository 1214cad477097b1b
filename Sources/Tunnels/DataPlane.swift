/// What carries packets: the one seam between the reconciler and a host. One caller at a time.
public protocol DataPlane: AnyObject {
    var kind: DataPlaneKind { get }

    /// Reads all links, with the addresses and routes of those that are ours, and the path towards the remote of
    /// each tunnel whose MTU follows the underlay; paths may be remembered while nothing hints at a change.
    func observe(for tunnels: [Tunnel]) throws(TunnelProblem) -> ObservedState

    /// The same for one tunnel whose link is thought to be `ifindex`, at a cost that doesn't grow with the number
    /// of links. The state holds that link, if it is there and the tunnel's, and the underlay that the tunnel names.
    func observe(_ tunnel: Tunnel, ifindex: Int32) throws(TunnelProblem) -> ObservedState

    /// The kernel's way towards each tunnel's remote, nil where it knows none. Not through the tunnel itself.
    func paths(of tunnels: [Tunnel]) throws(TunnelProblem) -> [TunnelID: UnderlayPath]

    /// Carries out the plans in as few system calls as possible. Deleting what is absent is success.
    ///
    /// - Returns: for each plan the link it left, nil after a delete, or why it stopped. A plan that stopped may
    ///   have been carried out in part, but a create that stopped leaves no link.
    func apply(_ plans: [TunnelPlan]) -> [Result<AppliedLink?, TunnelProblem>]

    /// The tunnel's link of that name, with all that decides whether it can be adopted; nil where there is no link of
    /// that name, or one that isn't an `ipip`.
    func unmanagedTunnel(named name: String) throws(TunnelProblem) -> UnmanagedTunnel?

    /// Changes whose a link and its routes are, and nothing that packets notice. A route that isn't there, or that
    /// another one stands in front of, is left out.
    func handOver(_ handover: Handover) throws(TunnelProblem)

    /// Whether we made the link of that number. One that somebody else made is never pruned, so its end can't be left
    /// to a look.
    func isOurMaking(_ ifindex: Int32) -> Bool

    /// Takes all that is remembered for outdated, so that the next looks see everything afresh.
    func forget()

    /// Whether the last look left something for another one, to come soon.
    var hasMoreToSee: Bool { get }

    /// The kernel modules that were loaded for us since the last call.
    func newlyLoadedModules() -> [String]

    /// What others changed since the last call, as far as the kernel told and it was kept. To be asked for after the
    /// kernel was read.
    func takeNotes() -> [ChangeNote]
}

/// A link after a plan was carried out.
public struct AppliedLink: Hashable, Sendable {
    public let ifindex: Int32
    /// Bytes.
    public let mtu: Int
    public let isUp: Bool

    public init(ifindex: Int32, mtu: Int, isUp: Bool) {
        self.ifindex = ifindex
        self.mtu = mtu
        self.isUp = isUp
    }

    /// Of a link that is as it should be already.
    public init(_ link: ObservedLink) {
        self.init(ifindex: link.ifindex, mtu: link.mtu, isUp: link.isUp)
    }
}

/// Counters of one link since it was made (`struct rtnl_link_stats64`).
public struct LinkCounters: Hashable, Sendable {
    public struct Direction: Hashable, Sendable {
        public var bytes: UInt64 = 0
        public var packets: UInt64 = 0
        public var errors: UInt64 = 0
        public var dropped: UInt64 = 0

        public init() {}
    }

    public var rx = Direction()
    public var tx = Direction()
    /// Packets for which there was no way to the remote. The kernel counts them among `tx.errors` too.
    public var carrierErrors: UInt64 = 0

    public init() {}
}

/// Why a packet wasn't carried, as the eBPF programs count it.
public enum DropReason: String, Sendable, CaseIterable {
    /// The outer header's length or checksum is wrong.
    case rxOuterHeader = "rx_outer_header"
    /// A fragment of an outer packet: a program can't put them together.
    case rxFragment = "rx_fragment"
    /// The inner packet isn't IPv4.
    case rxNotIPv4 = "rx_not_ipv4"
    /// The inner packet is too short, or its lengths are wrong.
    case rxInnerHeader = "rx_inner_header"
    /// Congestion was marked on a packet that can't bear the mark (RFC 6040).
    case rxECN = "rx_ecn"
    /// The tunnel is switched off.
    case rxDown = "rx_down"
    /// The kernel couldn't strip the outer header.
    case rxFailed = "rx_failed"
    case txNotIPv4 = "tx_not_ipv4"
    case txInnerHeader = "tx_inner_header"
    /// Too big for the path; the sender was told, where that may be.
    case txTooBig = "tx_too_big"
    /// There is no route to the remote.
    case txNoRoute = "tx_no_route"
    /// The route to the remote leads into the tunnel itself.
    case txLoop = "tx_loop"
    /// To be segmented inside another tunnel's header, other than IPIP.
    case txNested = "tx_nested"
    /// The kernel couldn't add the outer header.
    case txFailed = "tx_failed"
}

/// Reads counters; apart from the data plane, so that reads never wait for writes.
public protocol CounterSource: AnyObject, Sendable {
    /// The counters of every link.
    func counters() throws(TunnelProblem) -> CounterTable

    /// Whether we made the link of that number. What another one counted before it was adopted isn't its tunnel's.
    func isOurMaking(_ ifindex: Int32) -> Bool
}
