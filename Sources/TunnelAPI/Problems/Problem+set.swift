internal import Reconciler
internal import Tunnels

/// Why a set was refused: one answer for all its tunnels that were, of the type of the first.
extension Problem {
    init(_ refusals: [ItemRefusal]) {
        self.init(refusals.first?.problem ?? TunnelProblem(.kernelRefused, "The kernel refused."))
        detail = Self.summary(refusals.first.map { "\($0.name): \($0.problem.detail)" }, count: refusals.count)
        (errno, kernelMessage) = (nil, nil)
        refusedItems = refusals.prefix(BodyRefusal.maximumViolations).map { refusal in
            let pointer = refusal.position.map { "/tunnels/\($0)" } ?? ""
            return RefusedItem(
                violation: Violation(pointer, refusal.problem.detail), type: ProblemType(refusal.problem.code),
                tunnel: refusal.name, errno: refusal.problem.errno, kernelMessage: refusal.problem.kernelMessage)
        }
    }

    init(_ conflicts: [SetConflict]) {
        refusedItems = conflicts.map { conflict in
            RefusedItem(
                violation: Violation(conflict.pointer, conflict.detail), type: conflict.type,
                tunnel: conflict.holder.text)
        }
        let first = refusedItems.first
        type = first?.type ?? .outOfScope
        status = type.status
        detail = Self.summary(first.map { "\($0.violation.pointer): \($0.violation.detail)" }, count: conflicts.count)
    }

    private static func summary(_ first: String?, count: Int) -> String {
        let rest = count > 1 ? " (and \(count - 1) more in errors)" : ""
        return "\(first ?? "The set can't be taken.")\(rest) Nothing was changed."
    }
}

extension SetConflict {
    fileprivate var type: ProblemType {
        switch reason {
        case .outOfScope: .outOfScope
        case .otherRevision: .preconditionFailed
        case .taken(.name): .nameTaken
        case .taken(.endpoints): .endpointsTaken
        case .taken(.address): .addressTaken
        }
    }

    fileprivate var detail: String {
        switch reason {
        case .outOfScope: return "the tunnel \(holder) is there and doesn't bear the scope's label."
        case .otherRevision(let current):
            return current.map { "the tunnel is at revision \($0) now." } ?? "there is no such tunnel."
        case .taken(.name): return "the tunnel \(holder), which isn't in the set, has this name."
        case .taken(.endpoints):
            return "the tunnel \(holder), which isn't in the set, has the same local, remote and underlay."
        case .taken(.address): return "the tunnel \(holder), which isn't in the set, has this address."
        }
    }
}
