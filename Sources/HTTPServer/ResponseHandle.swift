internal import CMicroHTTPD

/// Making libmicrohttpd's form of a response. The caller owns what it gets and destroys it.
extension Response {
    /// Nil when memory is short or a header can't be sent, as one that holds a line end.
    func makeHandle(closing: Bool, stream: StreamReader? = nil) -> OpaquePointer? {
        let made =
            switch body {
            case .none: unsafe Self.makeHandle(copying: [])?.handle
            case .bytes(let bytes): unsafe Self.makeHandle(copying: bytes)?.handle
            case .stream: unsafe stream?.makeHandle()
            }
        guard let handle = unsafe made else { return nil }
        return unsafe addHeaders(to: handle, closing: closing) ? handle : nil
    }

    /// - Returns: false when one can't be sent; the handle is destroyed then.
    fileprivate func addHeaders(to handle: OpaquePointer, closing: Bool) -> Bool {
        var all = completeHeaders
        if closing { all.append(Header("Connection", "close")) }
        for header in all where unsafe MHD_add_response_header(handle, header.name, header.value) != .YES {
            unsafe MHD_destroy_response(handle)
            return false
        }
        return true
    }

    /// - Returns: with the copy, which lasts as long as the handle.
    ///
    /// Not `MHD_create_response_from_buffer`, which is libmicrohttpd's way to its own error pages; see
    /// `OwnErrorPages.swift`.
    static func makeHandle(
        copying bytes: [UInt8]
    ) -> (handle: OpaquePointer, copy: UnsafeRawBufferPointer)? {
        guard !bytes.isEmpty else {
            let handle = unsafe MHD_create_response_from_buffer_with_free_callback(0, nil, nil)
            return unsafe handle.map { unsafe ($0, UnsafeRawBufferPointer(start: nil, count: 0)) }
        }
        guard let copy = unsafe malloc(bytes.count) else { return nil }
        unsafe bytes.withUnsafeBytes { source in
            if let start = source.baseAddress { unsafe memcpy(copy, start, bytes.count) }
        }
        let handle = unsafe MHD_create_response_from_buffer_with_free_callback(bytes.count, copy, free)
        guard let handle = unsafe handle else {
            unsafe free(copy)
            return nil
        }
        return unsafe (handle, UnsafeRawBufferPointer(start: copy, count: bytes.count))
    }

    /// The whole answer as bytes that end a connection, for when libmicrohttpd can't be asked to send it.
    func closingBytes() -> [UInt8] {
        var content: [UInt8] = []
        if case .bytes(let bytes) = body { content = bytes }
        let reason = unsafe MHD_get_reason_phrase_for(UInt32(status)).map { unsafe String(cString: $0) } ?? ""
        var head = "HTTP/1.1 \(status) \(reason)\r\nConnection: close\r\nContent-Length: \(content.count)\r\n"
        for header in completeHeaders { head += "\(header.name): \(header.value)\r\n" }
        return Array((head + "\r\n").utf8) + content
    }
}

/// A response that is built once and sent many times, from any thread.
///
/// libmicrohttpd counts the connections that still send it, so this may go at any time.
@safe public final class PreparedResponse: @unchecked Sendable {
    // Unchecked: `handle` is never changed after init, and libmicrohttpd locks what it points to.
    let handle: OpaquePointer
    /// What is sent; lasts as long as the handle. Bodies are large, and kept once.
    private let bytes: UnsafeRawBufferPointer
    /// Without the body.
    private let head: Response

    public var status: Int { head.status }
    var headers: [Response.Header] { head.headers }
    var byteCount: Int { unsafe bytes.count }
    /// The response that it was made of.
    var response: Response {
        var response = head
        if unsafe !bytes.isEmpty { response.body = unsafe .bytes(Array(bytes)) }
        return response
    }

    /// Nil when a header can't be sent, as one that holds a line end, or when the body is a stream.
    public init?(_ response: Response) {
        var (head, content) = (response, [UInt8]())
        switch response.body {
        case .none: break
        case .bytes(let bytes): content = bytes
        case .stream: return nil
        }
        head.body = .none
        guard let made = unsafe Response.makeHandle(copying: content),
            unsafe head.addHeaders(to: made.handle, closing: false)
        else { return nil }
        unsafe (handle, bytes) = unsafe made
        self.head = head
    }

    deinit { unsafe MHD_destroy_response(handle) }
}
