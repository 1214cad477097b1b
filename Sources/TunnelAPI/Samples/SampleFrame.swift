internal import HTTPServer
internal import Reconciler

/// A sample as it is sent to all who made the same selection (WHATWG HTML, section 9.2: server-sent events).
struct SampleFrame {
    /// Of statistics: about a quarter more bytes than by zlib's choice, in less than half the time.
    static let compression = 1

    let number: UInt64
    /// Made when somebody wants them.
    private var plain: [UInt8]?
    private var compressed: [UInt8]?
    private let sample: Sample

    init(_ sample: Sample) {
        number = sample.number
        self.sample = sample
    }

    /// - Returns: nil where memory is short.
    mutating func bytes(
        isCompressed: Bool, _ selection: SampleSelection, _ directory: Directory
    ) -> [UInt8]? {
        if let ready = isCompressed ? compressed : plain { return ready }
        let whole = plain ?? encoded(selection, directory)
        guard isCompressed else {
            plain = whole
            return whole
        }
        compressed = Gzip.compressPiece(whole, level: Self.compression)
        return compressed
    }

    private func encoded(_ selection: SampleSelection, _ directory: Directory) -> [UInt8] {
        let entries = selection.entries(of: sample, in: directory)
        var data = JSONWriter(capacity: JSONWriter.statsCapacity(entries.count))
        data.stats(entries, in: sample)
        return Array("id: \(number)\nevent: sample\ndata: ".utf8) + data.bytes + Array("\n\n".utf8)
    }

    /// What a stream begins with: how long to wait before coming again.
    static func opening(isCompressed: Bool) -> [UInt8] {
        let text = Array("retry: 1000\n\n".utf8)
        return isCompressed ? Gzip.streamHead + (Gzip.compressPiece(text) ?? []) : text
    }

    /// A comment that keeps the connection open.
    static let keepAlive = Array(":\n\n".utf8)
    static let compressedKeepAlive = Gzip.compressPiece(keepAlive) ?? []
}
