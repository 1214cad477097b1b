import ModelHost
import Testing
import Tunnels

@testable import Reconciler

/// A daemon with tunnels and the sampler of its links.
struct SamplerBench {
    let daemon: Daemon
    let sampler: Sampler

    init(tunnels: Int) async throws {
        daemon = try await Daemon()
        for number in 0..<tunnels { await daemon.write(.create(try definition(number + 1))) }
        sampler = Sampler(
            source: daemon.plane, directory: daemon.reconciler.directory, interval: .seconds(1),
            timing: daemon.time.timing)
        for number in 0..<tunnels { try count(number + 1, packets: 0) }
    }

    func count(_ number: Int, packets: UInt64) throws {
        let ifindex = try #require(daemon.link("tun_\(number)")).ifindex
        daemon.plane.edit { $0.counters[ifindex] = LinkCounters(packets: packets) }
    }

    func wait(_ duration: Duration) { daemon.time.move(to: daemon.time.uptime + duration) }

    func entry(_ number: Int, in sample: Sample) throws -> Sample.Entry? {
        sample.entry(of: try #require(try daemon.view("tun_\(number)")).tunnel)
    }

    /// A sample as it is taken when the last one is old.
    func later(_ duration: Duration = .seconds(1)) throws -> Sample {
        wait(duration)
        return try sampler.sample()
    }

    /// As `ip link del` does, and what the daemon makes of it.
    func deleteLink(_ number: Int) async throws {
        let ifindex = try #require(daemon.link("tun_\(number)")).ifindex
        try daemon.plane.edit { state in
            try state.host.perform(.delete, on: ifindex)
            state.counters[ifindex] = nil
        }
        await daemon.kernelChanged()
    }
}

extension LinkCounters {
    /// Of a link that has received so many packets of 100 bytes, and sent twice as many.
    init(packets: UInt64) {
        self.init()
        (rx.packets, rx.bytes) = (packets, packets * 100)
        (tx.packets, tx.bytes) = (packets * 2, packets * 200)
        (tx.errors, carrierErrors) = (packets, packets)
    }
}
