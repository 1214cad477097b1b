internal import CMicroHTTPD
internal import Logging

/// One listening socket and the libmicrohttpd daemon that serves it.
@safe final class Listener: @unchecked Sendable {
    // Unchecked: nothing changes after init, and libmicrohttpd locks what `daemon` points to.
    private let socket: ListenSocket
    private let daemon: OpaquePointer
    /// The callbacks' context.
    private let context: UnsafeMutableRawPointer

    var address: ListenAddress { socket.address }

    /// - Parameter socket: belongs to the listener from now on, also when this throws.
    init(_ socket: ListenSocket, server: Server) throws(ListenError) {
        self.socket = socket
        unsafe context = Unmanaged.passRetained(server).toOpaque()
        var options = Self.options(server.limits, socket.address)
        guard let daemon = unsafe mhd_shim_start(socket.descriptor, context, &options) else {
            unsafe Unmanaged<Server>.fromOpaque(context).release()
            socket.close()
            socket.removeFile()
            throw .daemonDidNotStart
        }
        unsafe self.daemon = unsafe daemon
    }

    /// Makes the address unknown to new clients where that is possible: removes a unix socket's file. What
    /// still connects is closed by `acceptClient`. (`MHD_quiesce_daemon` may abort: it takes the socket out of
    /// a worker's epoll set while the worker may be doing the same, and panics at the second.)
    func disappear() { socket.removeFile() }

    /// Closes every connection; none may be suspended. Closes the socket as well.
    func stop() {
        unsafe MHD_stop_daemon(daemon)
        unsafe Unmanaged<Server>.fromOpaque(context).release()
    }

    private static func options(_ limits: Limits, _ address: ListenAddress) -> mhd_shim_options {
        let cores = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        // Two at least: one may be blocked by a handler, see `Responder.mayBlock`.
        let threads = if case .unix = address { 2 } else { max(2, min(8, cores)) }
        return unsafe mhd_shim_options(
            threads: UInt32(threads), memory_per_connection: limits.memoryPerConnection,
            connections: UInt32(max(limits.connections, threads)),
            connections_per_ip: UInt32(limits.connectionsPerAddress),
            accept: acceptClient, access: handleAccess, completed: requestCompleted,
            connection: connectionChanged, uri: requestLineReceived, unescape: leaveEscaped, logger: logLine)
    }
}
