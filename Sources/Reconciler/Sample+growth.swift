public import Tunnels

extension Sample {
    /// What the link of each tunnel counted since an earlier sample, whichever lie in between, and in how many seconds.
    /// nil of a tunnel that wasn't there, or whose link was made anew meanwhile.
    public func growth(
        since former: Sample
    ) -> (seconds: Double, growths: [(id: TunnelID, growth: LinkCounters?)]) {
        let (now, then) = (entries.reading, former.entries.reading)
        let comparison = Comparison(of: now, with: then)
        let isSame = now.roster === then.roster
        let growths = now.roster.views.indices.map { position in
            let before = isSame ? position : comparison.positionOfLink(position)
            return (
                id: now.roster.views[position].tunnel.id,
                growth: before.flatMap { now.counters[position].growth(since: then.counters[$0]) }
            )
        }
        return (comparison.seconds, growths)
    }
}
