import ModelHost
import Synchronization
import Testing
import Tunnels

@testable import Reconciler

@Suite struct DirectoryTests {
    private func view(_ number: Int, name: String? = nil, revision: Int64 = 1) throws -> TunnelView {
        var generator = SeededGenerator(seed: UInt64(number))
        let definition = try definition(number) { wanted in
            if let name { wanted.name = try InterfaceName(name) }
        }
        let tunnel = Tunnel(
            id: TunnelID(at: ManualTime.start, using: &generator), definition: definition, revision: revision,
            createdAt: ManualTime.start, updatedAt: ManualTime.start)
        return TunnelView(tunnel: tunnel, status: TunnelStatus(state: .up, dataPlane: .kernel))
    }

    @Test func theNewestViewIsFoundByNameAndByID() throws {
        let directory = Directory()
        let first = try view(1)
        directory.publish(first)
        let newer = try view(1, revision: 2)
        directory.publish(newer)
        #expect(directory.view(.name(first.tunnel.name)) === newer)
        #expect(directory.view(.id(first.tunnel.id)) === newer)
        #expect(directory.views.count == 1)
        #expect(directory.count == 1)
        directory.remove(first.tunnel.id)
        directory.remove(first.tunnel.id)
        #expect(directory.view(.name(first.tunnel.name)) == nil)
        #expect(directory.view(.id(first.tunnel.id)) == nil)
        #expect(directory.views.isEmpty)
    }

    private final class Count: Sendable {
        let value = Atomic(0)
    }

    /// The last costs what the first did: without that these would take hours.
    @Test(.timeLimit(.minutes(1))) func publishingStaysAsCheapAsItWas() throws {
        let directory = Directory()
        let told = Count()
        directory.watch { _, _ in told.value.add(1, ordering: .relaxed) }
        let view = try view(1)
        for _ in 0..<200_000 { directory.publish(view) }
        #expect(told.value.load(ordering: .relaxed) == 400_000)
    }

    @Test func aRenamedTunnelStandsInItsNewPlace() throws {
        let directory = Directory()
        for number in 1...5 { directory.publish(try view(number)) }
        let renamed = try view(1, name: "zebra")
        directory.publish(renamed)
        #expect(directory.views.map(\.tunnel.name.text) == ["tun_2", "tun_3", "tun_4", "tun_5", "zebra"])
        #expect(directory.view(.name(try name("tun_1"))) == nil)
        #expect(directory.view(.id(renamed.tunnel.id)) === renamed)
        // The name it left is another's.
        directory.publish(try view(6, name: "tun_1"))
        directory.remove(renamed.tunnel.id)
        #expect(directory.view(.name(try name("tun_1"))) != nil)
    }

    @Test(arguments: [1, 2, 3, 7, 19, 20, 21, 100]) func pagesHoldEachTunnelOnce(_ limit: Int) throws {
        let directory = Directory()
        for number in (1...20).reversed() { directory.publish(try view(number)) }
        var names: [InterfaceName] = []
        var pages = 0
        while pages <= 20 {
            let (views, hasMore) = directory.page(after: names.last, limit: limit) { _ in true }
            pages += 1
            names += views.map(\.tunnel.name)
            #expect(views.count <= limit)
            if !hasMore { break }
            #expect(views.count == limit)
        }
        #expect(names.count == 20)
        #expect(names == directory.views.map(\.tunnel.name))
        #expect(pages == (20 + limit - 1) / limit)
    }

    @Test func aPageBeginsAfterANameThatIsGone() throws {
        let directory = Directory()
        for text in ["b", "d", "f"] { directory.publish(try view(text.utf8.reduce(0) { $0 + Int($1) }, name: text)) }
        for (after, expected) in [("a", ["b", "d", "f"]), ("c", ["d", "f"]), ("d", ["f"]), ("f", []), ("z", [])] {
            let page = directory.page(after: try name(after), limit: 9) { _ in true }
            #expect(page.views.map(\.tunnel.name.text) == expected)
            #expect(!page.hasMore)
        }
    }

    @Test func aFilterCountsOnlyWhatItTakes() throws {
        let directory = Directory()
        for number in 1...9 { directory.publish(try view(number)) }
        let even: (TunnelView) -> Bool = { $0.tunnel.definition.remote.bits.isMultiple(of: 2) }
        let first = directory.page(after: nil, limit: 2, where: even)
        #expect(first.views.map(\.tunnel.name.text) == ["tun_2", "tun_4"])
        #expect(first.hasMore)
        let second = directory.page(after: first.views.last?.tunnel.name, limit: 2, where: even)
        #expect(second.views.map(\.tunnel.name.text) == ["tun_6", "tun_8"])
        #expect(!second.hasMore)
    }

    /// Readers walk pages while a writer publishes, renames and removes: what stays all the time is seen exactly
    /// once in each walk, in order.
    @Test func pagesAreWholeWhileTunnelsComeAndGo() async throws {
        let directory = Directory()
        for number in stride(from: 0, to: 100, by: 2) { directory.publish(try view(number)) }
        let staying = directory.views.map(\.tunnel.name)
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                var generator = SeededGenerator(seed: 5)
                for _ in 0..<5000 {
                    let number = generator.below(50) * 2 + 1
                    guard let view = try? view(number, name: generator.once(in: 3) ? "x\(number)" : nil) else { return }
                    if generator.once(in: 2) { directory.publish(view) } else { directory.remove(view.tunnel.id) }
                }
            }
            for reader in 1...3 {
                group.addTask {
                    for _ in 0..<50 {
                        var names: [InterfaceName] = []
                        for _ in 0..<101 {
                            let page = directory.page(after: names.last, limit: reader * 3) { _ in true }
                            names += page.views.map(\.tunnel.name)
                            if !page.hasMore { break }
                        }
                        #expect(names == names.sorted())
                        #expect(names.filter { staying.contains($0) } == staying)
                    }
                }
            }
        }
    }
}
