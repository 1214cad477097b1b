import ModelHost
import Testing
import Tunnels

@testable import Reconciler
@testable import TunnelStore

/// Answers that are kept with their writes.
@Suite struct KeptAnswerTests {
    private static func kept(_ key: String, _ outcome: WriteOutcome, _ time: Timestamp) -> KeptAnswer {
        KeptAnswer(
            actor: "test", key: key, digest: [UInt8](repeating: 1, count: 32), at: time, status: 200,
            headers: [.init(name: "A", value: "b")], body: Array(Self.text(of: outcome).utf8))
    }

    /// All that an answer may say.
    private static func text(of outcome: WriteOutcome) -> String {
        switch outcome {
        case .created(let view): "created \(view.tunnel) \(view.status)"
        case .changed(let view): "changed \(view.tunnel) \(view.status)"
        case .unchanged(let view): "unchanged \(view.tunnel) \(view.status)"
        case .deleted: "deleted"
        }
    }

    private func write(_ change: Write.Change, _ key: String, isAsynchronous: Bool = false) -> Write {
        Write(change, author: "test", isAsynchronous: isAsynchronous) { Self.kept(key, $0, $1) }
    }

    /// The view is foreseen before the commit: it must be the one that is answered and published afterwards.
    @Test func whatIsKeptIsWhatIsAnswered() async throws {
        let daemon = try await Daemon()
        let (first, second) = (try name("tun_1"), try name("other"))
        let steps: [(Write.Change, Bool)] = [
            (.create(try definition(1)), false), (.put(try definition(1)), false),
            (.put(try definition(1) { $0.mtu = 1300 }), false),
            (
                .modify(.name(first)) {
                    var new = $0
                    new.name = second
                    new.enabled = false
                    return new
                }, false
            ),
            (.create(try definition(2)), true), (.delete(.name(second)), false),
        ]
        for (position, (change, isAsynchronous)) in steps.enumerated() {
            let answer = await daemon.submit(write(change, "k\(position)", isAsynchronous: isAsynchronous))
            let kept = try #require(try daemon.store.answer(to: "k\(position)", of: "test"))
            let outcome = try answer.get()
            #expect(kept == Self.kept("k\(position)", outcome, ManualTime.start), "\(answer.word)")
        }
        // A link that was gone is made anew by the next write, and counts from nothing.
        await daemon.write(.create(try definition(3)))
        let ifindex = try #require(try daemon.status("tun_3").ifindex)
        try daemon.plane.edit { try $0.host.perform(.delete, on: ifindex) }
        let answer = await daemon.submit(write(.put(try definition(3) { $0.comment = "x" }), "k"))
        #expect(try daemon.status("tun_3").epoch == 2)
        #expect(try daemon.store.answer(to: "k", of: "test")?.body == Array(Self.text(of: try answer.get()).utf8))
    }

    @Test func aNewDaemonHasThem() async throws {
        let store = try TunnelStore.inMemory()
        let first = try await Daemon(store: store)
        let outcome = try await first.submit(write(.create(try definition(1)), "k")).get()
        let second = try await Daemon(store: store)
        #expect(try second.store.answer(to: "k", of: "test") == Self.kept("k", outcome, ManualTime.start))
        #expect(try second.store.answer(to: "k", of: "other") == nil)
        #expect(try second.store.answer(to: "other", of: "test") == nil)
    }

    @Test func aRefusalKeepsNothing() async throws {
        let daemon = try await Daemon()
        daemon.plane.refuse { $0.name == "tun_1" }
        #expect(await daemon.submit(write(.create(try definition(1)), "k")).word == "host: kernel-refused")
        #expect(await daemon.submit(write(.delete(.name(try name("tun_9"))), "k")).word == "not found")
        #expect(try daemon.store.answer(to: "k", of: "test") == nil)
    }

    /// What can't be kept isn't done.
    @Test func aWriteWhoseAnswerIsRefusedIsTakenBack() async throws {
        let daemon = try await Daemon()
        let links = daemon.plane.host.links
        let write = Write(.create(try definition(1)), author: "test") { outcome, time in
            var kept = Self.kept("k", outcome, time)
            kept.digest = [1]
            return kept
        }
        #expect(await daemon.submit(write).word == "storage: constraint")
        #expect(try daemon.store.tunnels() == [])
        #expect(daemon.plane.host.links == links)
        try daemon.expectAgreement()
    }

    // MARK: - Sets and checkpoints

    private func apply(_ numbers: ClosedRange<Int>, seconds: Int? = nil, digest: Int = 32) throws -> Apply {
        let set = TunnelSet(try numbers.map { TunnelSet.Item(try definition($0)) }, isPruning: true)
        return Apply(set, author: "test", confirmation: seconds.map { Confirmation(within: $0) }) { outcome, time in
            KeptAnswer(
                actor: "test", key: "k", digest: [UInt8](repeating: 1, count: digest), at: time, status: 200,
                headers: [], body: Array("\(outcome)".utf8))
        }
    }

    private func kept(_ daemon: Daemon) throws -> String? {
        try daemon.store.answer(to: "k", of: "test").map { String(decoding: $0.body, as: UTF8.self) }
    }

    /// The outcome is foreseen, the revision and the checkpoint with it.
    @Test(arguments: [nil, 60])
    func whatIsKeptOfASetIsWhatIsAnswered(seconds: Int?) async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        let outcome = try await daemon.apply(try apply(2...4, seconds: seconds)).get()
        #expect(try kept(daemon) == "\(outcome)")
        #expect(outcome.revision == daemon.store.setRevision)
        #expect((outcome.checkpoint == nil) == (seconds == nil))
    }

    @Test func anUnchangedSetIsKeptButWritesNothingElse() async throws {
        let daemon = try await Daemon()
        await daemon.apply([try definition(1)])
        let written = try daemon.store.totalChanges()
        let outcome = try await daemon.apply(try apply(1...1)).get()
        #expect(try kept(daemon) == "\(outcome)")
        #expect(outcome.revision == 1)
        #expect(try daemon.store.totalChanges() == written + 1)
    }

    /// What can't be kept isn't done, in the kernel neither.
    @Test func aSetWhoseAnswerIsRefusedIsTakenBack() async throws {
        let daemon = try await Daemon()
        await daemon.write(.create(try definition(1)))
        let answer = await daemon.apply(try apply(2...4, digest: 1))
        #expect(throws: WriteRefusal.self) { try answer.get() }
        #expect(try daemon.store.tunnels().map(\.name.text) == ["tun_1"])
        try daemon.expectAgreement()
    }

    @Test func oldOnesAndTooManyAreForgotten() async throws {
        var limits = Reconciler.Limits()
        limits.answers = 3
        let daemon = try await Daemon(limits: limits)
        for number in 1...5 {
            _ = await daemon.submit(write(.create(try definition(number)), "k\(number)"))
            await daemon.advance(by: .seconds(1))
        }
        func keys() throws -> [Int] {
            try (1...5).filter { try daemon.store.answer(to: "k\($0)", of: "test") != nil }
        }
        #expect(try keys() == [1, 2, 3, 4, 5])
        await daemon.advance(by: .seconds(30))
        #expect(try keys() == [3, 4, 5])
        let time = ManualTime.start.milliseconds + KeptAnswer.lifetimeMilliseconds
        daemon.time.move(to: .seconds(1000) + .milliseconds(KeptAnswer.lifetimeMilliseconds + 3000))
        #expect(daemon.time.now.milliseconds == time + 3000)
        await daemon.advance(by: .seconds(1))
        #expect(try keys() == [4, 5])
    }
}
