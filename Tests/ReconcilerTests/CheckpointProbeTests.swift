import ModelHost
import Synchronization
import Testing
import Tunnels

@testable import Reconciler
@testable import TunnelStore

/// Changes that an answer from afar confirms.
extension CheckpointTests {
    private var far: IPv4Address { IPv4Address(192, 168, 1, 254) }

    @Test func anAnswerConfirms() async throws {
        let probe = ModelProbe()
        let daemon = try await Daemon(prober: probe.prober)
        let (_, checkpoint) = try await changed(
            daemon, probe: Checkpoint.Probe(address: far, tunnel: try name("tun_4")))
        let source = try definition(4).addresses[0].local
        #expect(probe.asked == [Prober.Question(address: far, link: try name("tun_4"), source: source)])
        await daemon.advance(by: .seconds(30))
        probe.answer()
        await daemon.drain()
        let end = try #require(daemon.reconciler.checkpoints[checkpoint.id]?.end)
        #expect(end.outcome == .confirmed && end.actor == nil)
        #expect(probe.ended == 1)
        await daemon.advance(by: .seconds(60))
        #expect(try names(daemon) == ["tun_2", "tun_3", "tun_4"])
        #expect(try daemon.store.events(after: 0, limit: 99).last?.event.detail == #"{"by":"probe"}"#)
    }

    @Test func withoutAnAnswerItGoesBack() async throws {
        let probe = ModelProbe()
        let daemon = try await Daemon(prober: probe.prober)
        let (before, _) = try await changed(daemon, probe: Checkpoint.Probe(address: far, tunnel: try name("tun_4")))
        await daemon.advance(by: .seconds(60))
        try expectBack(before, daemon)
        #expect(probe.ended == 1)
        // An answer that was on its way.
        probe.answer()
        await daemon.drain()
        try expectBack(before, daemon)
    }

    @Test func afterARestartTheProbeGoesOn() async throws {
        let first = try await Daemon()
        let wanted = Checkpoint.Probe(address: far, tunnel: try name("tun_2"))
        let (_, checkpoint) = try await changed(first, probe: wanted)
        let probe = ModelProbe()
        let second = try await Daemon(store: first.store, host: first.plane.host, prober: probe.prober)
        #expect(probe.asked.map(\.link.text) == ["tun_2"])
        probe.answer()
        await second.drain()
        #expect(second.reconciler.checkpoints[checkpoint.id]?.end?.outcome == .confirmed)
    }

    @Test func whoMayNotAskIsToldBeforeTheChange() async throws {
        var prober = Prober.silent
        prober.obstacle = { "no" }
        let daemon = try await Daemon(prober: prober)
        let set = TunnelSet([TunnelSet.Item(try definition(1))])
        let probe = Checkpoint.Probe(address: far, tunnel: try name("tun_1"))
        let refused = await daemon.apply(
            Apply(set, author: "test", confirmation: Confirmation(within: 9, probe: probe)))
        #expect(refused.words == "invalid")
        #expect(try daemon.store.tunnels().isEmpty)
        #expect(await daemon.apply(Apply(set, author: "test", confirmation: Confirmation(within: 9))).words == "create")
    }

    @Test(arguments: ["tun_9", "tun_1", "tun_5"])
    func aProbeNeedsATunnelThatIsUp(through: String) async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        await daemon.write(.create(try definition(2)))
        let probe = Checkpoint.Probe(address: far, tunnel: try name(through))
        // tun_1 goes, tun_5 is switched off, and tun_9 isn't there.
        let set = [try definition(2), try definition(5) { $0.enabled = false }].map { TunnelSet.Item($0) }
        let apply = Apply(
            TunnelSet(set, isPruning: true), author: "test", confirmation: Confirmation(within: 60, probe: probe))
        #expect(await daemon.apply(apply).words == "invalid")
        #expect(try names(daemon) == ["tun_1", "tun_2"])
    }
}

/// Answers when it is told to.
private final class ModelProbe: Sendable {
    private struct State {
        var asked: [Prober.Question] = []
        var answered: (@Sendable () -> Void)?
        var ended = 0
    }

    private let state = Mutex(State())

    var asked: [Prober.Question] { state.withLock { $0.asked } }
    var ended: Int { state.withLock { $0.ended } }

    var prober: Prober {
        Prober { question, answered in
            self.state.withLock { state in
                state.asked.append(question)
                state.answered = answered
            }
            return { self.state.withLock { $0.ended += 1 } }
        }
    }

    func answer() {
        state.withLock { $0.answered }?()
    }
}
