internal import CMicroHTTPD
internal import Glibc
internal import Synchronization

/// One thread that looks after what libmicrohttpd doesn't: slow clients, clients that leave while they wait, and
/// connections that were closed before all was read.
///
/// A socket that is closed with bytes unread sends a reset, which can destroy the answer on its way. So such a
/// connection is kept half open under a second descriptor, and read, until the client closes or a bound passes.
final class Watch: Sendable {
    private struct Lingering {
        let descriptor: Int32
        let deadline: Int64
        var bytesLeft = 4 * 1024 * 1024
    }

    private struct State {
        var thread: pthread_t?
        var isStopped = false
        var lingering: [UInt64: Lingering] = [:]

        mutating func end(_ token: UInt64) {
            guard let socket = lingering.removeValue(forKey: token) else { return }
            _ = CMicroHTTPD.close(socket.descriptor)
        }
    }

    private static let lingerMilliseconds: Int64 = 2000
    private static let lingeringAtMost = 64
    /// Tokens of lingering sockets have this bit; others are of streams and deferred answers, and 0 is the wake-up.
    private static let lingerBit: UInt64 = 1 << 63

    private let epoll: Int32
    private let wake: Signal
    private let state = Mutex(State())
    private let sweepCount = Atomic(0)

    init() throws(ListenError) {
        wake = try Signal()
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw .system(operation: "epoll_create1", errno: errno) }
        _ = mhd_shim_epoll_add(epoll, wake.descriptor, EPOLLIN.rawValue, 0)
    }

    deinit { _ = CMicroHTTPD.close(epoll) }

    func start(server: Server) {
        state.withLock { state in
            guard state.thread == nil, !state.isStopped else { return }
            let context = unsafe Unmanaged.passRetained(server).toOpaque()
            var thread = pthread_t()
            if unsafe pthread_create(&thread, nil, runWatch, context) == 0 {
                state.thread = thread
            } else {
                unsafe Unmanaged<Server>.fromOpaque(context).release()
            }
        }
    }

    func stop() {
        let thread = state.withLock { state in
            state.isStopped = true
            return state.thread
        }
        wake.raise()
        if let thread { _ = pthread_join(thread, nil) }
        state.withLock { state in
            for token in state.lingering.keys { state.end(token) }
        }
    }

    /// How often connections were looked at: the clock by which they are judged. So no clock is read for a request,
    /// and a process that was stopped for a while cuts nobody for it.
    var sweeps: Int { sweepCount.load(ordering: .relaxed) }

    /// Has the stream aborted, or the deferred request told, when its client leaves. Closing the socket ends the
    /// watching.
    func add(_ id: UInt64, _ descriptor: Int32) {
        let events = EPOLLRDHUP.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue | EPOLLONESHOT.rawValue
        _ = mhd_shim_epoll_add(epoll, descriptor, events, id)
    }

    /// Keeps a connection that libmicrohttpd is about to close, bytes unread, until its client has our answer.
    func linger(_ descriptor: Int32) {
        state.withLock { state in
            guard !state.isStopped, state.lingering.count < Self.lingeringAtMost else { return }
            let copy = mhd_shim_duplicate(descriptor)
            guard copy >= 0 else { return }
            let token = Self.lingerBit | UInt64(copy)
            state.lingering[token] = Lingering(
                descriptor: copy, deadline: mhd_shim_coarse_milliseconds() + Self.lingerMilliseconds)
            _ = mhd_shim_epoll_add(epoll, copy, EPOLLIN.rawValue, token)
        }
    }

    fileprivate func run(_ server: Server) {
        let period = server.limits.sweepMilliseconds
        var tokens = [UInt64](repeating: 0, count: 64)
        var nextSweep = mhd_shim_coarse_milliseconds()
        while !state.withLock({ $0.isStopped }) {
            let count = unsafe mhd_shim_epoll_wait(epoll, &tokens, Int32(tokens.count), period)
            for token in tokens.prefix(Int(max(0, count))) {
                if token == 0 {
                    wake.lower()
                } else if token & Self.lingerBit == 0 {
                    server.streams[token]?.abort()
                    server.deferrals[token]?.clientLeft()
                } else {
                    drain(token)
                }
            }
            let now = mhd_shim_coarse_milliseconds()
            guard now >= nextSweep else { continue }
            nextSweep = now + Int64(period)
            sweepCount.add(1, ordering: .relaxed)
            server.sweep()
            state.withLock { state in
                for (token, socket) in state.lingering where socket.deadline <= now { state.end(token) }
            }
        }
    }

    /// Reads and forgets what a lingering connection still sends.
    private func drain(_ token: UInt64) {
        state.withLock { state in
            guard var socket = state.lingering[token] else { return }
            if Self.discard(&socket) {
                state.lingering[token] = socket
            } else {
                state.end(token)
            }
        }
    }

    private static func discard(_ socket: inout Lingering) -> Bool {
        unsafe withUnsafeTemporaryAllocation(byteCount: 16 * 1024, alignment: 8) { buffer in
            while socket.bytesLeft > 0 {
                let count = unsafe recv(
                    socket.descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
                if count < 0 { return errno == EAGAIN }
                if count == 0 { return false }
                socket.bytesLeft -= count
            }
            return false
        }
    }
}

private func runWatch(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context = unsafe context else { return nil }
    let server = unsafe Unmanaged<Server>.fromOpaque(context).takeRetainedValue()
    server.watch.run(server)
    return nil
}
