internal import KernelDataPlane
internal import Reconciler
internal import Tunnels

/// The kernel's links, with the tunnels that have them, and what would become of the others.
struct HostLinks: Sendable {
    let reader: KernelReader
    let directory: Directory
    let plane: DataPlaneKind

    func list() throws(TunnelProblem) -> [HostLink] {
        let links = try reader.links().map { $0.attributed(by: directory) }
        let others = links.filter { $0.owner == nil && $0.kind == DataPlaneKind.kernel.linkKind }
        let found = try reader.unmanagedTunnels(others.map(\.ifindex))
        guard !found.isEmpty else { return links.map { HostLink($0) } }
        let taken = TakenPlaces(directory.views.lazy.map(\.tunnel.definition))
        let adoptions = Dictionary(
            found.map { ($0.link.ifindex, Adoption(of: $0, on: plane, besides: taken)) }
        ) {
            first, _ in first
        }
        return links.map { HostLink($0, adoption: adoptions[$0.ifindex]) }
    }
}

extension ObservedLink {
    /// A link that was adopted, or lost half its mark, names its tunnel, but so does a copy: the tunnel says which is its. A TUN device doesn't
    /// tell its tunnel's endpoints; the programs' maps do, and so does the definition.
    fileprivate func attributed(by directory: Directory) -> ObservedLink {
        var link = self
        let claimant =
            switch remains {
            case .whole(let id), .alias(let id, _): directory.view(.id(id))
            case .group: (try? InterfaceName(name)).flatMap { directory.view(.name($0)) }
            case nil: nil as TunnelView?
            }
        if let claimant, claimant.status.ifindex == ifindex { link.owner = claimant.tunnel.id }
        if link.parameters == nil, let owner = link.owner, let view = directory.view(.id(owner)) {
            link.parameters = LinkParameters(view.tunnel.definition, underlay: 0)
        }
        return link
    }
}
