import KernelDataPlane
import ModelHost
import Testing
import Tunnels

extension OnTheKernel {
    /// Random definitions and disturbances on the real kernel.
    @Suite struct RandomWalkTests {
        /// 300 definitions in turn for three tunnels, with somebody meddling in between: each is reached, and iproute2
        /// sees it as we do.
        @Test(arguments: 0..<3) func eachDefinitionIsReachedWhateverWasThere(_ number: Int) throws {
            let host = try Host()
            let foreign = try host.observe().links
            var random = RandomTunnels(seed: UInt64(number), number: number)
            let id = random.id()
            for step in 0..<100 {
                let time = Timestamp(milliseconds: 0)
                let wanted = Tunnel(
                    id: id, definition: try random.definition(), revision: 1, createdAt: time, updatedAt: time)
                let before = try host.link(of: wanted)
                let link = try host.settle(wanted)
                if let before { #expect(link.ifindex == before.ifindex, "step \(step)") }
                if step.isMultiple(of: 5) { try expectAgreement(wanted.definition, link, on: host, step) }
                for _ in 0..<random.generator.below(5) {
                    guard let link = try host.link(of: wanted), let parameters = link.parameters else { break }
                    // What the kernel refuses of it doesn't matter.
                    _ = try host.apply([try random.disturbance(of: parameters)], to: wanted, ifindex: link.ifindex)
                }
            }
            #expect(try host.observe().links.filter { $0.owner == nil } == foreign)
        }

        private func expectAgreement(
            _ definition: TunnelDefinition, _ link: ObservedLink, on host: Host, _ step: Int
        ) throws {
            let shown = try #require(try host.shown().first { $0.ifindex == link.ifindex })
            let data = try #require(shown.linkinfo?.infoData)
            #expect(shown.ifname == definition.name.text, "step \(step)")
            #expect(shown.flags.contains("UP") == definition.enabled, "step \(step)")
            #expect(shown.mtu == definition.mtu ?? 1480, "step \(step)")
            #expect(data.proto == "ipip", "step \(step)")
            #expect(data.remote == definition.remote.description, "step \(step)")
            #expect(data.local == definition.local?.description ?? "any", "step \(step)")
            #expect(data.link == definition.underlay?.text, "step \(step)")
            let ttl = if case .fixed(let ttl) = definition.ttl { Int(ttl) } else { 0 }
            #expect(data.ttl == ttl, "step \(step)")
            let tos: String? =
                switch definition.tos {
                case .inherit: "0x1"
                case .fixed(0): nil
                case .fixed(let tos): "0x" + String(tos, radix: 16)
                }
            #expect(data.tos == tos, "step \(step)")
            #expect(data.pmtudisc == definition.pmtudisc, "step \(step)")
            #expect(data.fwmark == definition.fwmark.map { "0x" + String($0, radix: 16) }, "step \(step)")
        }

        /// The rules that plans are tested under elsewhere are the kernel's: the same steps on both, one by one.
        @Test(arguments: 0..<4) func theModelDoesAsTheKernelDoes(_ number: Int) throws {
            let host = try Host()
            var model = ModelHost()
            let eth0 = try #require(try host.observe().link(named: "eth0")).ifindex
            var random = RandomTunnels(seed: 1000 + UInt64(number), number: number)
            let id = random.id()
            let time = Timestamp(milliseconds: 0)
            var wanted = Tunnel(
                id: id, definition: try random.definition(), revision: 1, createdAt: time, updatedAt: time)
            for step in 0..<150 {
                let (real, modelled) = (try host.link(of: wanted), model.link(of: id))
                #expect(real?.comparable(eth0: eth0) == modelled?.comparable(eth0: 2), "step \(step)")
                guard let real, let modelled, let parameters = real.parameters else {
                    wanted.definition = try random.definition()
                    let results = [
                        try host.apply(wanted),
                        model.apply([try plan(for: wanted, in: model.observed(for: [wanted]))])[0],
                    ]
                    #expect(results.allSatisfy { $0.problem == nil }, "step \(step)")
                    continue
                }
                let operation = try random.disturbance(of: parameters)
                let answer = try host.apply([operation], to: wanted, ifindex: real.ifindex)
                let plan = TunnelPlan(
                    tunnel: id, name: "x", ifindex: modelled.ifindex, operations: [operation.with(eth0, as: 2)])
                let expected = model.apply([plan])[0]
                #expect(answer.problem?.errno == expected.problem?.errno, "step \(step): \(operation)")
            }
        }
    }
}

extension ObservedLink {
    /// Without what another host numbers otherwise.
    fileprivate func comparable(eth0: Int32) -> ObservedLink {
        var link = self
        link.ifindex = 0
        if link.parameters?.underlay == eth0 { link.parameters?.underlay = 2 }
        return link
    }
}

extension Tunnels.Operation {
    /// With another number for the underlay.
    fileprivate func with(_ former: Int32, as number: Int32) -> Self {
        guard case .change(let kind, var parameters) = self, parameters.underlay == former else { return self }
        parameters.underlay = number
        return .change(kind: kind, parameters: parameters)
    }
}
