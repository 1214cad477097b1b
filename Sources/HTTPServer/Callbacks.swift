internal import CMicroHTTPD
internal import Logging

// What libmicrohttpd calls, from its own threads. `context` is the server; a connection's socket context is its
// `Connection`, which owns the request's, an `Exchange`.

private func server(_ context: UnsafeMutableRawPointer?) -> Server? {
    guard let context = unsafe context else { return nil }
    return unsafe Unmanaged<Server>.fromOpaque(context).takeUnretainedValue()
}

func acceptClient(
    _ context: UnsafeMutableRawPointer?, _ address: UnsafePointer<sockaddr>?, _ length: socklen_t
) -> MHD_Result {
    unsafe server(context)?.isStopping == false ? .YES : .NO
}

func connectionChanged(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?,
    _ socketContext: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ change: MHD_ConnectionNotificationCode
) {
    guard let server = unsafe server(context), let connection = unsafe connection,
        let socketContext = unsafe socketContext
    else { return }
    switch change {
    case .CONNECTION_NOTIFY_STARTED:
        let descriptor = unsafe mhd_shim_socket(connection)
        guard let peer = unsafe Peer(connection: connection, descriptor: descriptor) else { return }
        let opened = Connection(id: server.nextID(), server: server, peer: peer, descriptor: descriptor)
        server.opened(opened)
        unsafe socketContext.pointee = Unmanaged.passRetained(opened).toOpaque()
    default:
        guard let pointer = unsafe socketContext.pointee else { return }
        let closed = unsafe Unmanaged<Connection>.fromOpaque(pointer).takeRetainedValue()
        unsafe closed.exchange?.abandon()
        unsafe closed.exchange = nil
        server.closed(closed)
        unsafe socketContext.pointee = nil
    }
}

/// The name of the field that hides cookies; known by its address.
let hidingCookies: StaticString = "Cookie"

/// Called with the target as it was sent, before anything of it is decoded or cut.
///
/// Next, libmicrohttpd 0.9.75 would make a record of each item of the query, and later of each cookie, none of
/// them used here. When these don't fit its memory it goes wrong: for the query the connection hangs, for
/// cookies the answer's head is sent twice. So the query is hidden from it, by a NUL behind the question mark;
/// and the cookies, by an empty `Cookie` before all others, of which it looks at the first.
func requestLineReceived(
    _ context: UnsafeMutableRawPointer?, _ target: UnsafePointer<CChar>?, _ connection: OpaquePointer?
) -> UnsafeMutableRawPointer? {
    guard let target = unsafe target, let mhd = unsafe connection,
        let pointer = unsafe mhd_shim_context(mhd)
    else { return nil }
    let connection = unsafe Unmanaged<Connection>.fromOpaque(pointer).takeUnretainedValue()
    guard connection.move(from: .awaiting, to: .receiving) else { return nil }
    let exchange = unsafe Exchange(
        connection: connection, mhd: MHDConnection(mhd), target: UnsafeBufferPointer(cString: target))
    unsafe connection.exchange = exchange
    unsafe mhd_shim_hide_query(target)
    unsafe mhd_shim_hide_cookies(mhd, hidingCookies.utf8Start)
    return unsafe Unmanaged.passUnretained(exchange).toOpaque()
}

/// Each segment and each query item is decoded by `Target`, after splitting: nothing is to be done here.
func leaveEscaped(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?, _ text: UnsafeMutablePointer<CChar>?
) -> Int {
    guard let text = unsafe text else { return 0 }
    return unsafe strlen(text)
}

func handleAccess(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?, _ path: UnsafePointer<CChar>?,
    _ method: UnsafePointer<CChar>?, _ version: UnsafePointer<CChar>?, _ upload: UnsafePointer<CChar>?,
    _ uploadSize: UnsafeMutablePointer<Int>?,
    _ requestContext: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> MHD_Result {
    // Without an exchange the connection was cut, or the client left before its peer address was known.
    guard let pointer = unsafe requestContext?.pointee, let uploadSize = unsafe uploadSize else { return .NO }
    let exchange = unsafe Unmanaged<Exchange>.fromOpaque(pointer).takeUnretainedValue()
    guard let upload = unsafe upload, unsafe uploadSize.pointee > 0 else {
        return unsafe exchange.proceed(method: method, version: version)
    }
    let result = unsafe exchange.receive(UnsafeBufferPointer(start: upload, length: uploadSize.pointee))
    unsafe uploadSize.pointee = 0
    return result
}

func requestCompleted(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?,
    _ requestContext: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ reason: MHD_RequestTerminationCode
) {
    guard let mhd = unsafe connection, let pointer = unsafe mhd_shim_context(mhd) else { return }
    unsafe requestContext?.pointee = nil
    let connection = unsafe Unmanaged<Connection>.fromOpaque(pointer).takeUnretainedValue()
    unsafe connection.exchange?.complete()
    unsafe connection.exchange = nil
}

func logLine(
    _ context: UnsafeMutableRawPointer?, _ format: UnsafePointer<CChar>?, _ arguments: CVaListPointer?
) {
    guard let server = unsafe server(context), let format = unsafe format, let arguments = unsafe arguments
    else { return }
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer in
        guard let start = buffer.baseAddress else { return }
        let status = unsafe mhd_shim_log_line(format, arguments, start, buffer.count)
        if status != 0 { OwnErrorPage.announce(status: Int(status), server: server) }
        server.logger.debug("libmicrohttpd", metadata: ["line": "\(unsafe String(cString: start))"])
    }
}
