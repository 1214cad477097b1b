/// Bytes that wait to be sent, in pieces: own ones, and such as other streams have too.
struct PieceQueue {
    private struct Piece {
        var bytes: [UInt8]
        let isShared: Bool
    }

    /// Bytes; an own piece that has so many is followed by another, so that none is kept for long.
    private static let pieceBytes = 16 * 1024

    private var pieces: [Piece] = []
    /// Bytes of the first that were taken already.
    private var taken = 0
    /// Bytes that wait.
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// Bytes in memory, with those that were taken and not yet forgotten.
    var heldBytes: Int { pieces.reduce(0) { $0 + $1.bytes.count } }

    mutating func append(copying bytes: some Collection<UInt8>) {
        count += bytes.count
        if let last = pieces.indices.last, !pieces[last].isShared, pieces[last].bytes.count < Self.pieceBytes {
            pieces[last].bytes.append(contentsOf: bytes)
        } else {
            pieces.append(Piece(bytes: Array(bytes), isShared: false))
        }
    }

    mutating func append(sharing bytes: [UInt8]) {
        count += bytes.count
        pieces.append(Piece(bytes: bytes, isShared: true))
    }

    /// Moves as many as fit into `target`.
    ///
    /// - Returns: how many.
    mutating func take(into target: UnsafeMutableRawBufferPointer) -> Int {
        var written = 0
        var done = 0
        for piece in pieces {
            let size = min(piece.bytes.count - taken, target.count - written)
            unsafe piece.bytes.withUnsafeBytes { bytes in
                let source = unsafe UnsafeRawBufferPointer(rebasing: bytes[taken..<taken + size])
                unsafe UnsafeMutableRawBufferPointer(rebasing: target[written...]).copyMemory(from: source)
            }
            written += size
            taken += size
            guard taken == piece.bytes.count else { break }
            done += 1
            taken = 0
        }
        pieces.removeFirst(done)
        count -= written
        return written
    }
}
