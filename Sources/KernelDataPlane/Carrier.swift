package import Netlink
package import Tunnels

/// What makes a link a tunnel: the kernel's `ipip`, or what stands in for it. All else (name, MTU, mark, addresses,
/// routes) is the same for any link, and the data plane's.
///
/// One caller at a time. Changes are answered as messages, which the data plane sends together with its own; what the
/// kernel can't be told over netlink is done at once.
package protocol Carrier: AnyObject {
    var kind: DataPlaneKind { get }

    /// Whether it must know the way of each tunnel's outer packets, not only of those whose MTU follows it.
    var needsPaths: Bool { get }

    /// Whether a link is there as soon as `make` has returned, before any message is sent.
    var makesLinksItself: Bool { get }

    /// Makes a link in our group, with its index and MTU, down.
    func make(_ link: NewLink) throws(CarrierError) -> [Request]

    /// Sets a link to other parameters, and closes what `isWhole` found missing.
    func change(_ link: NewLink) throws(CarrierError) -> [Request]

    /// A link is about to be set up or down.
    func noteUp(_ isUp: Bool, _ index: UInt32)

    /// Reads what it must know to answer about links; before each look at all of them.
    func look() throws(TunnelProblem)

    /// What a link is set to; nil for one that isn't of this carrier.
    func parameters(of link: Link) -> LinkParameters?

    /// Whether all is in place that carries this link's packets.
    func isWhole(_ index: UInt32) -> Bool

    /// Sends outer packets the ways that were found; at the end of each look.
    func follow(_ ways: FoundWays)

    /// Forgets links that are gone.
    func forget(_ indexes: [UInt32])
}

/// Where the outer packets of our links go, by ifindex.
package struct FoundWays {
    /// nil where there is no way; a link that isn't named keeps what it has.
    package var paths: [UInt32: UnderlayPath?] = [:]
    /// All links there are, and whether each is up.
    package var links: [UInt32: Bool] = [:]
    /// Whether links, addresses or routes that aren't ours may have changed since the last look.
    package var isNews = false
}

/// A link as a carrier makes or changes it.
package struct NewLink {
    package let index: UInt32
    package let name: String
    package let alias: String
    package let parameters: LinkParameters
    /// nil leaves it to the underlay.
    package let mtu: Int?
    /// nil where there is none, and unless the carrier needs paths.
    package let path: UnderlayPath?
}

package enum CarrierError: Error {
    /// Of a system call that stands for a message; explained as a message's would be.
    case refused(NetlinkError)
    case problem(TunnelProblem)
}

/// The kernel's own `ipip`.
final class IPIPCarrier: Carrier {
    var kind: DataPlaneKind { .kernel }
    var needsPaths: Bool { false }
    var makesLinksItself: Bool { false }

    func make(_ new: NewLink) -> [Request] {
        var link = Link(index: new.index, name: new.name, info: .ipip(IPTunnel(new.parameters)))
        link.mtu = new.mtu.map { UInt32($0) }
        link.group = Mark.group
        return [.createLink(link)]
    }

    func change(_ link: NewLink) -> [Request] {
        [.changeLink(Link(index: link.index, info: .ipip(IPTunnel(link.parameters))))]
    }

    func parameters(of link: Link) -> LinkParameters? { nil }
    func isWhole(_ index: UInt32) -> Bool { true }
    func noteUp(_ isUp: Bool, _ index: UInt32) {}
    func look() {}
    func follow(_ ways: FoundWays) {}
    func forget(_ indexes: [UInt32]) {}
}
