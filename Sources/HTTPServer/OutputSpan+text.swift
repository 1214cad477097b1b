// Appending bytes in one piece, which `OutputSpan` itself can do only one by one. Inlined, so that a text of the
// program becomes a few stores.

extension OutputSpan<UInt8> {
    /// Appends a text of the program as it is.
    @inlinable @inline(__always)
    public mutating func append(_ text: StaticString) {
        unsafe append(text.utf8Start, text.utf8CodeUnitCount)
    }

    /// Appends a text as it is.
    @inlinable public mutating func append(text: String) {
        append(copying: text.utf8.span)
    }

    @inlinable public mutating func append(copying bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { bytes in
            if let start = bytes.baseAddress { unsafe append(start, bytes.count) }
        }
    }

    @inlinable @inline(__always)
    mutating func append(_ source: UnsafePointer<UInt8>, _ length: Int) {
        unsafe withUnsafeMutableBufferPointer { buffer, count in
            precondition(length <= buffer.count - count, "what is appended must fit")
            if let target = buffer.baseAddress {
                unsafe (target + count).initialize(from: source, count: length)
                count += length
            }
        }
    }
}
