internal import CBPF

/// When a write to a map holds.
public enum BPFUpdate: Hashable, Sendable {
    /// Whether the key is there or not (`BPF_ANY`).
    case any
    /// Only a new key; `EEXIST` otherwise (`BPF_NOEXIST`).
    case new
    /// Only a key that is there; `ENOENT` otherwise (`BPF_EXIST`).
    case existing

    var flags: UInt64 {
        switch self {
        case .any: UInt64(BPF_ANY)
        case .new: UInt64(BPF_NOEXIST)
        case .existing: UInt64(BPF_EXIST)
        }
    }
}

/// Entries as bytes, back to back; how long each is, the map knows.
struct RawEntries {
    var keys: [UInt8] = []
    var values: [UInt8] = []
}

/// One entry at a time. Keys and values have as many bytes as the map says (`keySize`, `valueBytes`).
extension LoadedMap {
    /// Nil when the key isn't there.
    func read(_ key: [UInt8]) throws(BPFError) -> [UInt8]? {
        var value = [UInt8](repeating: 0, count: valueBytes)
        try check(key)
        let result = unsafe bpf_map_lookup_elem(descriptor.number, key, &value)
        return try found(result, "read from map \(name)") ? value : nil
    }

    func write(_ key: [UInt8], _ value: [UInt8], _ update: BPFUpdate) throws(BPFError) {
        try check(key, value)
        var patience = Self.patience
        while unsafe bpf_map_update_elem(descriptor.number, key, value, update.flags) < 0 {
            let errno = cbpf_errno()
            guard errno == ENOMEM, patience > 0 else { throw BPFError(operation: "write to map \(name)", errno: errno) }
            patience -= 1
            _ = usleep(1000)
        }
    }

    /// How many milliseconds one write may wait for memory. Since 6.1 a hash table has a small store of free entries for
    /// each CPU, which the kernel fills again in the background (`bpf_mem_alloc`); many writes in a row can empty it.
    private static let patience = 100

    /// False when the key wasn't there.
    func remove(_ key: [UInt8]) throws(BPFError) -> Bool {
        try check(key)
        return try found(unsafe bpf_map_delete_elem(descriptor.number, key), "remove from map \(name)")
    }

    /// The key after the given one, or the first one; nil when there is none.
    private func key(after key: [UInt8]?) throws(BPFError) -> [UInt8]? {
        var next = [UInt8](repeating: 0, count: layout.keySize)
        let result =
            if let key {
                unsafe bpf_map_get_next_key(descriptor.number, key, &next)
            } else {
                unsafe bpf_map_get_next_key(descriptor.number, nil, &next)
            }
        return try found(result, "read the keys of map \(name)") ? next : nil
    }

    /// All entries, key by key: for maps and kernels that can't tell many at once.
    func walk() throws(BPFError) -> RawEntries {
        var entries = RawEntries()
        var last: [UInt8]?
        // A key that is deleted meanwhile leads back to the first one; that must end sometime.
        for _ in 0...layout.capacity {
            guard let key = try key(after: last) else { return entries }
            if let value = try read(key) {
                entries.keys += key
                entries.values += value
            }
            last = key
        }
        throw BPFError(operation: "read map \(name)", errno: EAGAIN, log: "it kept changing while it was read")
    }

    /// libbpf reads as many bytes as the map says.
    func check(_ keys: [UInt8], _ values: [UInt8]? = nil, count: Int = 1) throws(BPFError) {
        guard keys.count == count * layout.keySize, values == nil || values?.count == count * valueBytes else {
            throw BPFError(operation: "use map \(name)", errno: EINVAL, log: "keys or values of the wrong size")
        }
    }

    private func found(_ result: Int32, _ operation: @autoclosure () -> String) throws(BPFError) -> Bool {
        guard result < 0 else { return true }
        let errno = cbpf_errno()
        guard errno == ENOENT else { throw BPFError(operation: operation(), errno: errno) }
        return false
    }
}
