import Testing
import Tunnels

/// Links that lost half of their mark, and links of ours that stand in another tunnel's place.
@Suite struct PlaceTests {
    @Test(arguments: [MarkRemains.alias(id(1), group: 7), .group(alias: "mine")])
    func aLinkWithHalfOurMarkIsTheTunnelsThatHasNoOther(_ remains: MarkRemains) throws {
        let wanted = try definition()
        var half = link(of: wanted, id: nil)
        half.remains = remains
        let claimed = ObservedState(links: [half], claimedBy: [tunnel(wanted)])
        let plan = try Tunnels.plan(for: tunnel(wanted), in: claimed)
        #expect(plan.operations == [.mark])
        #expect(plan.differences == [.mark(remains)])
        #expect(ObservedState(links: [half]).link(of: id(1)) == nil)
        var whole = link(of: wanted)
        whole.ifindex = 8
        let both = ObservedState(links: [half, whole], claimedBy: [tunnel(wanted)])
        #expect(both.link(of: id(1))?.ifindex == 8)
    }

    @Test func twoLinksInEachOthersPlaceAreTakenAway() throws {
        let one = try definition { $0.name = try name("one") }
        let two = try definition {
            $0.name = try name("two")
            $0.remote = IPv4Address(172, 16, 9, 9)
        }
        var (first, second) = (link(of: one), link(of: two, id: id(2)))
        second.ifindex = first.ifindex + 1
        let tunnels = [tunnel(one), tunnel(two, id: id(2))]
        #expect(evictions(from: ObservedState(links: [first, second]), for: tunnels, on: .kernel).isEmpty)
        (first.name, second.name) = (second.name, first.name)
        let swapped = evictions(from: ObservedState(links: [first, second]), for: tunnels, on: .kernel)
        #expect(swapped.map(\.ifindex) == [first.ifindex, second.ifindex])
        (first.name, second.name) = (second.name, first.name)
        (first.parameters, second.parameters) = (second.parameters, first.parameters)
        #expect(evictions(from: ObservedState(links: [first, second]), for: tunnels, on: .kernel).count == 2)
        (first.parameters, second.parameters) = (second.parameters, first.parameters)
        #expect(evictions(from: ObservedState(links: [first, second]), for: tunnels, on: .kernel).isEmpty)
        first.kind = DataPlaneKind.bpf.linkKind
        #expect(
            evictions(from: ObservedState(links: [first, second]), for: tunnels, on: .kernel).map(\.ifindex)
                == [first.ifindex])
        first.owner = nil
        second.owner = nil
        #expect(evictions(from: ObservedState(links: [first, second]), for: tunnels, on: .kernel).isEmpty)
    }
}
