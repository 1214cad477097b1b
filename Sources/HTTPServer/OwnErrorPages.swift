internal import CMicroHTTPD

/// libmicrohttpd's own error pages, made ours.
///
/// What it can't parse it answers by itself, in HTML, without asking anybody: a request line or a header line
/// that is none, a head larger than its memory, a malformed or enormous Content-Length or chunk. No option
/// changes that. But it makes such a page with its public `MHD_create_response_from_buffer`, which it calls
/// for nothing else; and a symbol that the program defines is found before the library's (ELF's symbol
/// preemption). So the function below is called instead. If a build of the library binds the call to itself,
/// the pages are HTML again, which a test reports.
///
/// Just before it makes a page, on the same thread, it logs the page's status: that says which error it is.
enum OwnErrorPage {
    private final class Announcement {
        let server: Server
        let status: Int

        init(server: Server, status: Int) {
            self.server = server
            self.status = status
        }
    }

    /// The thread's announcement; released by whoever takes it, or by the thread's end.
    private static let key: pthread_key_t? = {
        var key = pthread_key_t()
        let code = unsafe pthread_key_create(&key) { pointer in
            if let pointer = unsafe pointer { unsafe Unmanaged<Announcement>.fromOpaque(pointer).release() }
        }
        return code == 0 ? key : nil
    }()

    static func announce(status: Int, server: Server) {
        _ = take()
        guard let key else { return }
        let announcement = unsafe Unmanaged.passRetained(Announcement(server: server, status: status))
        if unsafe pthread_setspecific(key, announcement.toOpaque()) != 0 { unsafe announcement.release() }
    }

    private static func take() -> Announcement? {
        guard let key, let pointer = unsafe pthread_getspecific(key) else { return nil }
        _ = pthread_setspecific(key, nil)
        return unsafe Unmanaged<Announcement>.fromOpaque(pointer).takeRetainedValue()
    }

    /// The page for the error just announced; without one, a page without content.
    ///
    /// Where Content-Length is at fault, libmicrohttpd 0.9.75 sends the answer's head twice. Refused the page,
    /// it gives the connection up, and `Exchange.abandon` answers.
    static func makeHandle(for page: UnsafePointer<CChar>) -> OpaquePointer? {
        if unsafe strstr(page, "Content-Length") != nil {
            _ = take()
            return nil
        }
        guard let announcement = take() else { return unsafe Response.makeHandle(copying: [])?.handle }
        let server = announcement.server
        var response = server.response(
            to: HTTPError(ownPageStatus: announcement.status, limits: server.limits), nil)
        // libmicrohttpd keeps to the status that it has chosen.
        response.status = announcement.status
        server.counters.count(status: response.status, bytes: response.byteCount)
        return unsafe response.makeHandle(closing: false)
    }
}

/// Called by libmicrohttpd itself; see `OwnErrorPage`.
@_cdecl("MHD_create_response_from_buffer")
public func libmicrohttpdMakesErrorPage(
    _ size: Int, _ content: UnsafeMutableRawPointer?, _ mode: UInt32
) -> OpaquePointer? {
    guard let content = unsafe content else { return nil }
    return unsafe OwnErrorPage.makeHandle(for: content.assumingMemoryBound(to: CChar.self))
}
