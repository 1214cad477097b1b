internal import CZlib

/// Compression of bodies (RFC 1952), by zlib.
public enum Gzip {
    /// - Parameter level: 1, the fastest, to 9; 6 is zlib's choice.
    /// - Returns: nil where memory is short.
    public static func compress(_ bytes: [UInt8], level: Int = 6) -> [UInt8]? {
        // 16 more ask for gzip's head and end instead of zlib's.
        deflate(bytes, level, windowBits: 15 + 16, Z_FINISH)
    }

    /// What a compressed stream begins with.
    public static let streamHead: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF]

    /// A piece of a stream that has no end: it refers to nothing before it, so that it can follow any other piece, and
    /// a reader can begin with any. One that was compressed once serves all streams.
    public static func compressPiece(_ bytes: [UInt8], level: Int = 6) -> [UInt8]? {
        deflate(bytes, level, windowBits: -15, Z_FULL_FLUSH)
    }

    private static func deflate(_ bytes: [UInt8], _ level: Int, windowBits: Int32, _ flush: Int32) -> [UInt8]? {
        guard let size = UInt32(exactly: bytes.count) else { return nil }
        var stream = unsafe z_stream()
        guard unsafe cz_shim_begin(&stream, Int32(level), windowBits) == Z_OK else { return nil }
        defer { unsafe deflateEnd(&stream) }
        // A flush adds a few bytes to what a whole needs.
        guard let capacity = UInt32(exactly: unsafe deflateBound(&stream, uLong(size)) + 32) else { return nil }
        let compressed = unsafe [UInt8](unsafeUninitializedCapacity: Int(capacity)) { target, count in
            unsafe bytes.withUnsafeBufferPointer { source in
                unsafe stream.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
                unsafe stream.avail_in = size
                unsafe stream.next_out = target.baseAddress
                unsafe stream.avail_out = capacity
                let result = unsafe CZlib.deflate(&stream, flush)
                let isWhole = flush == Z_FINISH ? result == Z_STREAM_END : result == Z_OK
                count = isWhole ? Int(capacity) - Int(unsafe stream.avail_out) : 0
            }
        }
        // A copy that is as large as it needs to be: the bound is more than the bytes themselves.
        return compressed.isEmpty ? nil : unsafe compressed.withUnsafeBufferPointer { unsafe Array($0) }
    }
}
