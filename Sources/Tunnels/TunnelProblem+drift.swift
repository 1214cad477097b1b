extension TunnelProblem {
    /// - Parameters:
    ///   - drift: what was changed last.
    ///   - author: of that; nil where the kernel didn't tell.
    ///   - end: when it is tried again.
    public static func repairSuspended(
        _ name: InterfaceName, times: Int, last drift: Drift, by author: ChangeAuthor?, until end: Timestamp
    ) -> TunnelProblem {
        let doer = author.map { "\($0)" } ?? "somebody (the kernel doesn't tell who)"
        return TunnelProblem(
            .repairSuspended,
            "\(name) was repaired \(times) times within a minute, and \(doer) has changed it once more: \(drift.field) "
                + "from \(drift.desired) to \(drift.observed). It is left alone until \(end). Stop what changes it, or "
                + "give the tunnel what that wants or another drift_policy: any write to it ends the wait.")
    }

    public static func adoptionRefused(_ refused: [DriftAdoption.Refused]) -> TunnelProblem {
        let reasons = refused.prefix(3).map { refused in
            let (field, desired, observed) = refused.difference.summary
            return "\(field) (\(desired), now \(observed)) because \(refused.reason)"
        }
        return TunnelProblem(
            .adoptionRefused,
            "not taken into the definition: \(reasons.joined(separator: "; ")) Any write to the tunnel repairs it.")
    }

    /// The state before is kept for a while, so definitions mustn't change by themselves.
    public static let adoptionHeld = TunnelProblem(
        .adoptionRefused, "a checkpoint is pending; the change is taken into the definition when that has ended.")
}
