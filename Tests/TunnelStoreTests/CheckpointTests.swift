import Testing
import Tunnels

@testable import TunnelStore

@Suite struct CheckpointTests {
    let store: TunnelStore

    init() throws {
        store = try .inMemory()
    }

    private func checkpoint(_ number: Int, probe: Checkpoint.Probe? = nil, tunnels: Int = 0) throws -> Checkpoint {
        Checkpoint(
            id: try #require(CheckpointID(try id(number).text)), createdAt: now, deadline: later, actor: "uid 0",
            probe: probe, tunnels: tunnels)
    }

    private func insert(_ checkpoint: Checkpoint, _ former: FormerTunnel...) throws {
        try store.write { (transaction) throws(StoreError) in try transaction.insert(checkpoint, former: former) }
    }

    private func end(_ checkpoint: Checkpoint, _ end: Checkpoint.End) throws {
        try store.write { (transaction) throws(StoreError) in try transaction.end(checkpoint.id, end) }
    }

    @Test func aCheckpointComesBackAsItWas() throws {
        let probe = Checkpoint.Probe(address: IPv4Address(192, 168, 1, 254), tunnel: try name("tun_a"))
        let checkpoint = try checkpoint(1, probe: probe, tunnels: 3)
        let former = [
            FormerTunnel(try tunnel(1), epoch: 1), FormerTunnel(none: try id(2)),
            FormerTunnel(try fullTunnel(3), epoch: 9),
        ]
        try insert(checkpoint, former[0], former[1], former[2])
        #expect(try store.pendingCheckpoint() == checkpoint)
        #expect(try store.checkpoints(limit: 9) == [checkpoint])
        #expect(try store.formerTunnels(of: checkpoint.id) == former)
    }

    /// A field that is added to the definition and forgotten here would be lost in a revert.
    @Test func eachFieldOfTheSampleIsAwayFromItsDefault() throws {
        let (full, plain) = (try fullTunnel(3).definition, try tunnel(3).definition)
        func fields(_ definition: TunnelDefinition) -> [(label: String?, value: String)] {
            Mirror(reflecting: definition).children.map { ($0.label, String(describing: $0.value)) }
        }
        // There is one kind as yet; the name and the remote must be given; the default forbids fragments.
        let same = zip(fields(full), fields(plain)).filter { $0.value == $1.value }.map(\.0.label)
        #expect(same == ["name", "kind", "remote", "pmtudisc"])
        var open = try fullTunnel(3)
        open.definition.pmtudisc = false
        let json = try #require(try FormerTunnel(open, epoch: 2).json())
        #expect(try FormerTunnel(id: open.id, json: json) == FormerTunnel(open, epoch: 2))
    }

    @Test func thereIsOnePendingAtATime() throws {
        let first = try checkpoint(1)
        try insert(first)
        #expect(throws: WriteError<StoreError>.self) { try insert(try checkpoint(2)) }
        #expect(try store.checkpoints(limit: 9) == [first])
        try end(first, Checkpoint.End(.confirmed, at: later, actor: "token 3"))
        try insert(try checkpoint(2))
        #expect(try store.pendingCheckpoint() == checkpoint(2))
        #expect(try store.checkpoints(limit: 9).map(\.id) == [checkpoint(2).id, first.id])
        #expect(try store.checkpoints(limit: 1).map(\.id) == [checkpoint(2).id])
    }

    @Test func howItEndedIsKeptAndTheFormerStateIsNot() throws {
        var checkpoint = try checkpoint(1, tunnels: 1)
        try insert(checkpoint, FormerTunnel(try tunnel(1), epoch: 1))
        try end(checkpoint, Checkpoint.End(.reverted, at: later, actor: nil))
        let failures = [
            Checkpoint.Failure(
                tunnel: try name("tun_1"),
                problem: TunnelProblem(.nameTaken, "a \"dummy\" é", errno: "EEXIST", kernelMessage: "words")),
            Checkpoint.Failure(tunnel: try name("tun_2"), problem: TunnelProblem(.kindUnsupported, "no")),
        ]
        checkpoint.end = Checkpoint.End(.reverted, at: later, actor: nil, failures: failures)
        try store.write { (transaction) throws(StoreError) in try transaction.note(failures, of: checkpoint.id) }
        #expect(try store.pendingCheckpoint() == nil)
        #expect(try store.checkpoints(limit: 9) == [checkpoint])
        #expect(try store.formerTunnels(of: checkpoint.id).isEmpty)
        #expect(try store.count("checkpoint_tunnel") == 0)
    }

    @Test func whatHasEndedIsNotEndedAgain() throws {
        var checkpoint = try checkpoint(1)
        try insert(checkpoint)
        checkpoint.end = Checkpoint.End(.confirmed, at: later, actor: nil)
        try end(checkpoint, try #require(checkpoint.end))
        let second = try #require(throws: WriteError<StoreError>.self) {
            try end(checkpoint, Checkpoint.End(.reverted, at: later, actor: nil))
        }
        guard case .body(let error) = second else { throw second }
        #expect(error.code == .constraint)
        #expect(try store.checkpoints(limit: 9) == [checkpoint])
    }

    @Test func onlyTheOldestThatHaveEndedAreForgotten() throws {
        for number in 1...5 {
            try insert(try checkpoint(number))
            try end(try checkpoint(number), Checkpoint.End(.confirmed, at: later, actor: nil))
        }
        try insert(try checkpoint(6))
        #expect(try store.pruneCheckpoints(keeping: 2) == 3)
        #expect(try store.checkpoints(limit: 9).map(\.id) == [6, 5, 4].map { try checkpoint($0).id })
        #expect(try store.pruneCheckpoints(keeping: 2) == 0)
        #expect(try store.pruneCheckpoints(keeping: 0) == 2)
        #expect(try store.pendingCheckpoint() == checkpoint(6))
    }

    @Test(arguments: ["{}", #"{"name": "a b"}"#, "[]"])
    func whatIsNoTunnelIsDamage(json: String) throws {
        try insert(try checkpoint(1))
        try store.execute("INSERT INTO checkpoint_tunnel SELECT id, id, '\(json)' FROM checkpoint")
        let error = #expect(throws: StoreError.self) { try store.formerTunnels(of: try checkpoint(1).id) }
        #expect(error?.code == .damaged)
    }
}
