internal import CMicroHTTPD
internal import Synchronization

/// A stream on one connection: what libmicrohttpd's content reader is called with.
final class StreamReader: Sendable {
    private let stream: ResponseStream
    private let connection: Connection
    private let mhd: MHDConnection

    init(_ stream: ResponseStream, _ connection: Connection, _ mhd: MHDConnection) {
        self.stream = stream
        self.connection = connection
        self.mhd = mhd
    }

    /// The handle keeps the reader until libmicrohttpd is done with the response.
    func makeHandle() -> OpaquePointer? {
        let retained = unsafe Unmanaged.passRetained(self)
        let handle = unsafe MHD_create_response_from_callback(
            mhd_shim_size_unknown, 16 * 1024, readStream, retained.toOpaque(), releaseStreamReader)
        if unsafe handle == nil { unsafe retained.release() }
        return unsafe handle
    }

    func read(into target: UnsafeMutableRawBufferPointer) -> Int {
        let (count, onRoom) = stream.state.withLock { state in
            (unsafe state.read(into: target, mhd), state.takeRoomOwed())
        }
        connection.noteStream(isPaused: count == 0)
        onRoom?()
        return count
    }
}

private func readStream(
    _ context: UnsafeMutableRawPointer?, _ position: UInt64, _ buffer: UnsafeMutablePointer<CChar>?,
    _ capacity: Int
) -> Int {
    guard let context = unsafe context, let buffer = unsafe buffer else { return mhd_shim_end_with_error }
    let reader = unsafe Unmanaged<StreamReader>.fromOpaque(context).takeUnretainedValue()
    return unsafe reader.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: capacity))
}

private func releaseStreamReader(_ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else { return }
    unsafe Unmanaged<StreamReader>.fromOpaque(context).release()
}
