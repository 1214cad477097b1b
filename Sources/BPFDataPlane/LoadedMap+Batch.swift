internal import CBPF
internal import Netlink

// Many entries in one system call (since 5.6). Where the map's type can't, or the kernel, one after another.

extension LoadedMap {
    /// How much of the entries one system call reads, in bytes.
    private static let most = 1 << 20

    private var options: bpf_map_batch_opts {
        bpf_map_batch_opts(sz: MemoryLayout<bpf_map_batch_opts>.size, elem_flags: 0, flags: 0)
    }

    /// All entries. What changes meanwhile may be missed, or come twice.
    func readAll() throws(BPFError) -> RawEntries {
        var entries = RawEntries()
        var room = min(layout.capacity, max(64, Self.most / (layout.keySize + valueBytes)))
        var cursor: [UInt8]?
        while true {
            var part = Part(self, room: room)
            let errno = part.read(self, from: cursor, options)
            switch errno {
            case 0, ENOENT:
                part.move(into: &entries, self)
                if errno == ENOENT { return entries }
                cursor = part.cursor
            case ENOSPC where room < layout.capacity:
                // A bucket of the hash table comes as a whole.
                room = min(layout.capacity, room * 2)
            case let errno where Self.isUnable(errno) && cursor == nil:
                return try walk()
            default:
                throw BPFError(operation: "read map \(name)", errno: errno)
            }
        }
    }

    /// Writes entries in their order, as many as go before the first that is refused.
    func writeAll(_ entries: RawEntries, count: Int, _ update: BPFUpdate) throws(BPFError) {
        guard count > 0 else { return }
        try check(entries.keys, entries.values, count: count)
        // A batch takes no condition (generic_map_update_batch).
        var done = update == .any ? writeBatch(entries, count: count) : 0
        do throws(BPFError) {
            while done < count {
                let (key, value) = (
                    entries.keys.part(done, of: layout.keySize), entries.values.part(done, of: valueBytes)
                )
                try write(key, value, update)
                done += 1
            }
        } catch {
            throw BPFError(
                operation: "write \(count) entries to map \(name)", errno: error.code.rawValue,
                log: "after \(done) of them")
        }
    }

    /// Answers how many went. Why not more, the next one tells when it goes alone.
    private func writeBatch(_ entries: RawEntries, count: Int) -> Int {
        var options = options
        var done = UInt32(count)
        let result = unsafe bpf_map_update_batch(descriptor.number, entries.keys, entries.values, &done, &options)
        if result >= 0 { return count }
        return Self.isUnable(cbpf_errno()) ? 0 : min(Int(done), count)
    }

    /// Removes entries; those that aren't there count as removed.
    func removeAll(_ keys: [UInt8], count: Int) throws(BPFError) {
        guard count > 0 else { return }
        try check(keys, count: count)
        var options = options
        var done = UInt32(count)
        if unsafe bpf_map_delete_batch(descriptor.number, keys, &done, &options) >= 0 { return }
        // It stops at the first that isn't there.
        for index in 0..<count { _ = try remove(keys.part(index, of: layout.keySize)) }
    }

    /// The kernel knows of no batches, or not with this map (`ENOTSUPP`, which isn't `errno`'s).
    private static func isUnable(_ errno: Int32) -> Bool { errno == EINVAL || errno == EOPNOTSUPP || errno == 524 }
}

extension [UInt8] {
    /// One of those that lie in it back to back.
    fileprivate func part(_ index: Int, of size: Int) -> [UInt8] { Array(self[index * size..<(index + 1) * size]) }
}

/// What one system call reads.
private struct Part {
    private var entries: RawEntries
    private var count: UInt32
    /// Where the next call goes on.
    private(set) var cursor: [UInt8]

    init(_ map: LoadedMap, room: Int) {
        entries = RawEntries(
            keys: Array(repeating: 0, count: room * map.layout.keySize),
            values: Array(repeating: 0, count: room * map.valueBytes))
        count = UInt32(room)
        // As large as a key or, for a hash table, 4 bytes.
        cursor = Array(repeating: 0, count: max(4, map.layout.keySize))
    }

    /// - Returns: `errno`; `ENOENT` says that these were the last.
    mutating func read(_ map: LoadedMap, from start: [UInt8]?, _ options: bpf_map_batch_opts) -> Int32 {
        var options = options
        let descriptor = map.descriptor.number
        let result =
            if var start {
                unsafe bpf_map_lookup_batch(
                    descriptor, &start, &cursor, &entries.keys, &entries.values, &count, &options)
            } else {
                unsafe bpf_map_lookup_batch(
                    descriptor, nil, &cursor, &entries.keys, &entries.values, &count, &options)
            }
        return result < 0 ? cbpf_errno() : 0
    }

    mutating func move(into all: inout RawEntries, _ map: LoadedMap) {
        all.keys += entries.keys.prefix(Int(count) * map.layout.keySize)
        all.values += entries.values.prefix(Int(count) * map.valueBytes)
    }
}
