import KernelDataPlane
import Netlink
import Synchronization
import Testing
import Tunnels

extension OnTheKernel {
    @Suite struct MonitorTests {
        /// Waits for the next word of a monitor.
        private final class Bell: Sendable {
            private let state = Mutex<(rings: Int, waiting: CheckedContinuation<Void, Never>?)>((0, nil))

            var rings: Int { state.withLock { $0.rings } }

            func ring() {
                state.withLock { state in
                    state.rings += 1
                    state.waiting?.resume()
                    state.waiting = nil
                }
            }

            /// Returns when it has rung that often.
            func wait(for rings: Int) async {
                while self.rings < rings {
                    await withCheckedContinuation { continuation in
                        state.withLock { state in
                            if state.rings >= rings { continuation.resume() } else { state.waiting = continuation }
                        }
                    }
                }
            }
        }

        @Test(
            .timeLimit(.minutes(1)),
            arguments: [
                "link delete tun_1", "link set tun_1 down", "link set tun_1 mtu 1200",
                "address add 10.1.1.1/24 dev tun_1", "address delete 192.168.1.1/24 dev tun_1",
                "route delete 10.20.0.0/16", "route add 10.21.0.0/16 dev tun_1", "link set eth0 mtu 1400",
            ])
        func somebodyElsesChangeIsTold(_ change: String) async throws {
            let host = try Host()
            let wanted = try tunnel(1) {
                $0.addresses = [try address("192.168.1.1/24")]
                $0.routes = [try route("10.20.0.0/16")]
            }
            try host.settle(wanted)
            let watch = host.watch
            let monitor = try host.namespace.run { try KernelMonitor(watch: watch) }
            let bell = Bell()
            monitor.start { bell.ring() }
            monitor.arm()
            try host.ip(change)
            await bell.wait(for: 1)
            try host.settle(wanted)
            // Once, until it is armed again, though there was more to tell.
            #expect(bell.rings == 1)
            monitor.arm()
            try host.ip("link set tun_1 mtu 1333")
            await bell.wait(for: 2)
            #expect(monitor.overflows == 0)
        }
    }
}
