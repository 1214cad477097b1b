internal import Netlink
internal import Tunnels

extension KernelDataPlane {
    /// The messages that carry out all plans that delete. A delete waits for the kernel's RCU, 24 ms on a busy host,
    /// so several links are moved into a link group of their own and deleted together, waiting once.
    func deletions(for plans: [TunnelPlan]) -> [Request] {
        let indexes = plans.filter { $0.operations == [.delete] }.compactMap(\.ifindex).map {
            UInt32(bitPattern: $0)
        }
        guard indexes.count > 1 else { return indexes.map { .deleteLink($0) } }
        let group = unusedGroup()
        return indexes.map { .setLink($0, LinkChange(group: group)) } + [.deleteLinks(inGroup: group)]
    }

    /// What became of them, by ifindex. A link that was gone already is deleted.
    func deletionResults(
        of plans: [TunnelPlan], outcomes: ArraySlice<NetlinkSocket.Outcome>
    ) -> [Int32: Result<AppliedLink?, TunnelProblem>] {
        let deletes = plans.filter { $0.operations == [.delete] }
        guard let last = outcomes.last else { return [:] }
        var results: [Int32: Result<AppliedLink?, TunnelProblem>] = [:]
        for (ifindex, outcome) in zip(deletes.compactMap(\.ifindex), outcomes) {
            // Both must have gone well: the move into the group, and the group's end.
            let error = outcome.failureUnlessAbsent ?? last.failureUnlessAbsent
            results[ifindex] = error.map { .failure(TunnelProblem($0)) } ?? .success(nil)
        }
        return results
    }

    /// A group that no link is in: drawn anew each time, clear of those seen.
    private func unusedGroup() -> UInt32 {
        var group: UInt32
        repeat {
            group = UInt32.random(in: Mark.group + 1...Mark.lastGroup)
        } while groups.contains(group)
        return group
    }
}

extension Result<[Message], NetlinkError> {
    fileprivate var failureUnlessAbsent: NetlinkError? {
        guard case .failure(let error) = self, error.code != .noDevice else { return nil }
        return error
    }
}
