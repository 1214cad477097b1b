internal import Tunnels

/// The tunnels that have a link, by name. Samples share one for as long as no view changes, and so needn't look at the
/// views.
final class Roster: Sendable {
    let views: [TunnelView]
    /// Of each view.
    let ifindexes: [Int32]

    /// No position.
    static let nowhere = -1

    init(_ views: [TunnelView]) {
        let ifindexes = views.compactMap(\.status.ifindex)
        self.ifindexes = ifindexes
        self.views = ifindexes.count == views.count ? views : views.filter { $0.status.ifindex != nil }
    }

    /// Without the tunnels at positions that aren't wanted.
    func filtered(_ isWanted: (_ position: Int) -> Bool) -> Roster {
        Roster(views.indices.filter(isWanted).map { views[$0] })
    }

    func position(of tunnel: Tunnel) -> Int? {
        let position = position(of: tunnel.name)
        return position < views.count && views[position].tunnel.id == tunnel.id ? position : nil
    }

    /// Where each tunnel was in a former roster, `nowhere` where it wasn't or had another name.
    func positions(in former: Roster) -> [Int] {
        var position = 0
        return views.map { view in
            while position < former.views.count, former.views[position].tunnel.name < view.tunnel.name { position += 1 }
            guard position < former.views.count, former.views[position].tunnel.id == view.tunnel.id else {
                return Self.nowhere
            }
            return position
        }
    }

    /// Whether a tunnel of this roster has the link that one of another had.
    func hasSameLink(at position: Int, as former: Roster, at formerPosition: Int) -> Bool {
        ifindexes[position] == former.ifindexes[formerPosition]
            && views[position].status.epoch == former.views[formerPosition].status.epoch
    }

    /// The first position whose name isn't before `name`.
    private func position(of name: InterfaceName) -> Int {
        var (low, high) = (0, views.count)
        while low < high {
            let middle = (low + high) / 2
            if views[middle].tunnel.name < name { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
