import Synchronization
import Testing
import Tunnels

@testable import Reconciler

@Suite struct WatcherTests {
    private let directory = Directory()
    private let time = ManualTime()
    private let watchers: Watchers

    init() {
        watchers = Watchers(directory: directory, timing: time.timing, limit: 3)
    }

    private func view(_ name: String, revision: Int64 = 1, id: UInt64 = 1) throws -> TunnelView {
        let definition = TunnelDefinition(name: try InterfaceName(name), remote: IPv4Address(172, 16, 0, 1))
        let time = Timestamp(milliseconds: Int64(id))
        let tunnel = Tunnel(
            id: try #require(TunnelID("00000000-0000-7000-8000-00000000000\(id)")), definition: definition,
            revision: revision, createdAt: time, updatedAt: time)
        return TunnelView(tunnel: tunnel, status: TunnelStatus(state: .up, dataPlane: .kernel))
    }

    /// How a wait ended, with the revision that was given.
    private final class End: Sendable {
        private let ends: AsyncStream<String>
        private let continuation: AsyncStream<String>.Continuation

        init() { (ends, continuation) = AsyncStream.makeStream(of: String.self) }

        func take(_ ending: Watchers.Ending, _ view: TunnelView?) {
            continuation.yield("\(ending) \(view.map { "\($0.tunnel.revision)" } ?? "none")")
        }

        var next: String? { get async { await ends.first { _ in true } } }
    }

    private func wait(
        _ key: TunnelKey, _ seconds: Int = 30, until isReached: @escaping @Sendable (TunnelView?) -> Bool
    ) throws -> (end: End, id: UInt64) {
        let end = End()
        let id = try watchers.wait(for: key, atMost: .seconds(seconds), until: isReached) { end.take($0, $1) }
        return (end, id)
    }

    private func name(_ text: String) throws -> TunnelKey { .name(try InterfaceName(text)) }

    @Test func whatIsSoAlreadyEndsAtOnce() async throws {
        directory.publish(try view("a", revision: 5))
        let end = try wait(try name("a")) { $0?.tunnel.revision == 5 }.end
        #expect(await end.next == "reached 5")
        #expect(watchers.count == 0)
    }

    @Test func thePublishedViewDecides() async throws {
        let end = try wait(try name("a")) { ($0?.tunnel.revision ?? 0) >= 3 }.end
        directory.publish(try view("b", revision: 9, id: 2))
        for revision in 1...2 { directory.publish(try view("a", revision: Int64(revision))) }
        #expect(watchers.count == 1)
        directory.publish(try view("a", revision: 3))
        directory.publish(try view("a", revision: 4))
        #expect(await end.next == "reached 3")
        #expect(watchers.count == 0)
    }

    @Test func theNameIsGoneByADeletionAndByARename() async throws {
        let tunnel = try view("a")
        directory.publish(tunnel)
        let byName = try wait(try name("a")) { $0 == nil }.end
        let byID = try wait(.id(tunnel.tunnel.id)) { $0 == nil }.end
        let new = try wait(try name("b")) { $0 != nil }.end
        directory.publish(try view("b", revision: 2))
        #expect(await byName.next == "reached none")
        #expect(await new.next == "reached 2")
        #expect(watchers.count == 1)
        directory.remove(tunnel.tunnel.id)
        #expect(await byID.next == "reached none")
    }

    @Test func eachEndsWhenItsTimeIsUp() async throws {
        directory.publish(try view("a", revision: 7))
        let long = try wait(try name("a"), 20) { $0 == nil }.end
        let short = try wait(try name("b"), 5) { $0 != nil }.end
        _ = time.step(upTo: time.uptime + .seconds(4))
        #expect(watchers.count == 2)
        #expect(time.step(upTo: time.uptime + .seconds(5)))
        #expect(await short.next == "timedOut none")
        #expect(watchers.count == 1)
        while time.step(upTo: .seconds(1000) + .seconds(20)) {}
        #expect(await long.next == "timedOut 7")
        #expect(watchers.count == 0)
    }

    /// However many come and go, there are few timers.
    @Test func waitsShareATimer() throws {
        for _ in 0..<100 {
            let id = try wait(try name("a"), 300) { $0 != nil }.id
            watchers.cancel(id)
            time.move(to: time.uptime + .milliseconds(10))
        }
        #expect(time.delays == [.seconds(300)])
    }

    @Test func cancelledTheyEndAsThingsAre() async throws {
        directory.publish(try view("a", revision: 2))
        let (end, id) = try wait(try name("a")) { $0 == nil }
        watchers.cancel(id)
        watchers.cancel(id)
        #expect(await end.next == "timedOut 2")
    }

    @Test func noMoreThanMayWait() async throws {
        let ends = try (0..<3).map { _ in try wait(try name("a")) { $0 != nil }.end }
        #expect(throws: Watchers.Full.self) { try wait(try name("a")) { $0 != nil } }
        directory.publish(try view("a"))
        for end in ends { #expect(await end.next == "reached 1") }
        _ = try wait(try name("b")) { $0 != nil }
    }

    @Test func aStopEndsAllAndThoseToCome() async throws {
        let before = try wait(try name("a")) { $0 != nil }.end
        watchers.stop()
        #expect(await before.next == "stopping none")
        #expect(await (try wait(try name("a")) { $0 != nil }).end.next == "stopping none")
        #expect(watchers.count == 0)
    }
}
