internal import Netlink
public import Tunnels

extension KernelDataPlane {
    public func apply(_ plans: [TunnelPlan]) -> [Result<AppliedLink?, TunnelProblem>] {
        let isFirstCreate = plans.contains { $0.ifindex == nil }
        if isFirstCreate {
            modules.beforeCreate()
            // It may come at any time, and never goes.
            hasIPv6 = hasIPv6 || host.hasIPv6
        }
        defer { if isFirstCreate { modules.afterCreate() } }
        guard carrier.makesLinksItself else { return send(plans) }

        // Links are made before any message is sent, so what frees names and endpoints goes first.
        var results: [Int: Result<AppliedLink?, TunnelProblem>] = [:]
        for kind in [Kind.deletes, .changes, .creates] {
            let positions = plans.indices.filter { Kind(plans[$0]) == kind }
            guard !positions.isEmpty else { continue }
            for (position, result) in zip(positions, send(positions.map { plans[$0] })) { results[position] = result }
        }
        return plans.indices.compactMap { results[$0] }
    }

    private enum Kind {
        case deletes, changes, creates

        init(_ plan: TunnelPlan) {
            self = plan.operations == [.delete] ? .deletes : plan.ifindex == nil ? .creates : .changes
        }
    }

    /// In one send.
    private func send(_ plans: [TunnelPlan]) -> [Result<AppliedLink?, TunnelProblem>] {
        let messages = messages(for: plans)
        let deletions = self.deletions(for: plans)
        let requests = deletions + messages.flatMap(\.requests)
        counters.add(deletions.count + messages.reduce(0) { $0 + $1.changes })
        let outcomes: [NetlinkSocket.Outcome]
        do throws(NetlinkError) {
            outcomes = try socket.execute(requests)
        } catch {
            if carrier.makesLinksItself { discard(messages) }
            return plans.map { _ in .failure(TunnelProblem(error)) }
        }
        let deleted = deletionResults(of: plans, outcomes: outcomes[..<deletions.count])
        let gone = deleted.filter(\.value.isSuccess).map { UInt32(bitPattern: $0.key) }
        if !gone.isEmpty { carrier.forget(gone) }
        var position = deletions.count
        return zip(plans, messages).map { plan, messages in
            if plan.operations == [.delete], let ifindex = plan.ifindex {
                return deleted[ifindex] ?? .success(nil)
            }
            defer { position += messages.requests.count }
            return result(of: plan, messages, outcomes[position..<position + messages.requests.count])
        }
    }

    /// A plan as messages, in order, with what each stands for.
    private struct Messages {
        let index: UInt32
        var requests: [Request] = []
        /// Why there are none.
        var failure: CarrierError?
        /// Whether the plan makes the link.
        var isCreate = false
        /// How many of them change something.
        var changes: Int { max(0, requests.count - 1) }
    }

    private func messages(for plans: [TunnelPlan]) -> [Messages] {
        let paths = paths(ofLinksIn: plans)
        return plans.map { plan in
            var messages = Messages(
                index: plan.ifindex.map { UInt32(bitPattern: $0) } ?? takeIndex(), isCreate: plan.ifindex == nil)
            do throws(CarrierError) {
                messages.requests = try requests(for: plan, on: messages.index, paths)
            } catch {
                messages.failure = error
            }
            return messages
        }
    }

    /// All but deletes. The last one reads the link, so that the answer tells what there is.
    private func requests(
        for plan: TunnelPlan, on index: UInt32, _ paths: [PathLookup: UnderlayPath]
    ) throws(CarrierError) -> [Request] {
        guard plan.operations != [.delete] else { return [] }
        var requests: [Request] = []
        for operation in plan.operations {
            requests += try self.requests(for: operation, on: index, of: plan, paths)
        }
        return requests + [.readLink(index)]
    }

    private func requests(
        for operation: Operation, on index: UInt32, of plan: TunnelPlan, _ paths: [PathLookup: UnderlayPath]
    ) throws(CarrierError) -> [Request] {
        switch operation {
        case .create(let name, _, let parameters, let mtu, let up):
            let link = NewLink(
                index: index, name: name.text, alias: Mark.alias(of: plan.tunnel), parameters: parameters, mtu: mtu,
                path: PathLookup(parameters).flatMap { paths[$0] })
            let made = try carrier.make(link)
            carrier.noteUp(up, index)
            // Up at the end: a link that comes up with IPv6 gets a link-local address, which ipip can't carry, and
            // which makes creating many links quadratic. Neither that nor an alias is taken in a create.
            let silent = hasIPv6 ? [Request.setLink(index, LinkChange(ipv6AddressGeneration: .off))] : []
            return made + silent + [.setLink(index, LinkChange(up: up, alias: Mark.alias(of: plan.tunnel)))]
        case .change(_, let parameters):
            let link = NewLink(
                index: index, name: plan.name, alias: Mark.alias(of: plan.tunnel), parameters: parameters, mtu: nil,
                path: PathLookup(parameters).flatMap { paths[$0] })
            return try carrier.change(link)
        case .mark:
            return [.setLink(index, LinkChange(alias: Mark.alias(of: plan.tunnel), group: Mark.group))]
        case .rename(let name): return [.setLink(index, LinkChange(name: name.text))]
        case .setMTU(let mtu): return [.setLink(index, LinkChange(mtu: UInt32(mtu)))]
        case .setUp(let up):
            carrier.noteUp(up, index)
            return [.setLink(index, LinkChange(up: up))]
        case .addAddress(let address): return [.addAddress(Address(address, on: index))]
        case .removeAddress(let address): return [.deleteAddress(Address(address, on: index))]
        case .addRoute(let route): return [.addRoute(Route(route, by: index))]
        case .removeRoute(let route): return [.deleteRoute(Route(route, by: index))]
        case .delete: return [.deleteLink(index)]
        }
    }

    private func result(
        of plan: TunnelPlan, _ messages: Messages, _ outcomes: ArraySlice<NetlinkSocket.Outcome>
    ) -> Result<AppliedLink?, TunnelProblem> {
        switch messages.failure {
        case .refused(let error)?: return .failure(explain(error, in: plan))
        case .problem(let problem)?: return .failure(problem)
        case nil: break
        }
        for (request, outcome) in zip(messages.requests, outcomes) {
            // A kernel without IPv6, or a link too small for it, needs none of it switched off.
            guard case .failure(let error) = outcome, !error.isAbsence(in: request),
                error.code != .addressFamilyNotSupported
            else { continue }
            let problem = explain(error, in: plan)
            // A create that stopped leaves no link.
            if carrier.makesLinksItself || outcomes.first?.isSuccess == true { discard([messages]) }
            return .failure(problem)
        }
        guard case .success(let answer)? = outcomes.last, case .link(let link)? = answer.first else {
            return .success(nil)
        }
        return .success(
            AppliedLink(
                ifindex: Int32(bitPattern: link.index), mtu: Int(link.mtu ?? 0),
                isUp: link.flags.contains(.up)))
    }

    /// Takes away the links that creates have made before they stopped.
    private func discard(_ messages: [Messages]) {
        let made = messages.filter { $0.isCreate && $0.failure == nil }.map(\.index)
        guard !made.isEmpty else { return }
        counters.add(made.count)
        _ = try? socket.execute(made.map { .deleteLink($0) })
        carrier.forget(made)
    }
}

extension Result {
    fileprivate var isSuccess: Bool {
        if case .success = self { true } else { false }
    }
}

extension NetlinkError {
    /// Whether what should be removed wasn't there.
    fileprivate func isAbsence(in request: Request) -> Bool {
        guard request.operation.hasPrefix("delete") else { return false }
        return [.noDevice, .notFound, .addressNotAvailable].contains(code)
    }
}
