internal import CMicroHTTPD

/// libmicrohttpd's connection. It lives until the request's completion callback; whoever keeps this longer
/// must know by a lock of its own that the connection is suspended, since then it can't end.
@safe struct MHDConnection: @unchecked Sendable {
    // Unchecked: resuming is allowed from any thread, the rest is done on the connection's own.
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) { unsafe self.pointer = unsafe pointer }

    func suspend() { unsafe MHD_suspend_connection(pointer) }

    func resume() { unsafe MHD_resume_connection(pointer) }
}
