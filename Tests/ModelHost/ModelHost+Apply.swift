public import Tunnels

extension ModelHost {
    /// Carries out plans as a data plane does: deletes first; all messages of a plan are sent, whatever becomes of
    /// the first ones; what is absent is deleted; a create that stopped leaves no link.
    public mutating func apply(_ plans: [TunnelPlan]) -> [Result<AppliedLink?, TunnelProblem>] {
        for plan in plans where plan.operations == [.delete] {
            if let ifindex = plan.ifindex { try? perform(.delete, on: ifindex) }
        }
        return plans.map { $0.operations == [.delete] ? .success(nil) : apply($0) }
    }

    private mutating func apply(_ plan: TunnelPlan) -> Result<AppliedLink?, TunnelProblem> {
        var ifindex = plan.ifindex ?? 0
        var refusal: (Refusal, Operation)?
        for operation in plan.operations {
            do throws(Refusal) {
                if case .create(let name, _, let parameters, let mtu, let up) = operation {
                    ifindex = try create(
                        plan.tunnel, name: name.text, parameters: parameters, mtu: mtu, up: up)
                } else {
                    try perform(operation, on: ifindex)
                }
            } catch {
                if refusal == nil, !error.isAbsence(in: operation) { refusal = (error, operation) }
            }
        }
        if let (error, operation) = refusal {
            if plan.ifindex == nil { try? perform(.delete, on: ifindex) }
            return .failure(TunnelProblem(.kernelRefused, "\(operation)", errno: error.rawValue))
        }
        guard let link = links.first(where: { $0.ifindex == ifindex }) else { return .success(nil) }
        return .success(AppliedLink(ifindex: ifindex, mtu: link.mtu, isUp: link.isUp))
    }
}

extension ModelHost.Refusal {
    fileprivate func isAbsence(in operation: Operation) -> Bool {
        switch operation {
        case .delete, .removeAddress, .removeRoute:
            [.noDevice, .addressNotAvailable, .notFound].contains(self)
        default: false
        }
    }
}
