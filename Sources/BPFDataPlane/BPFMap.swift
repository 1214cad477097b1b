internal import CBPF

/// A map whose keys and values are C structs, or numbers, as they lie in memory. They must have no gaps but those that
/// the struct names: the kernel compares keys byte by byte.
public struct BPFMap<Key: BitwiseCopyable & Sendable, Value: BitwiseCopyable & Sendable>: Sendable {
    public let map: LoadedMap

    /// - Throws: `EINVAL` when the map's keys or values are of another size, or each CPU has its own.
    public init(_ map: LoadedMap, key: Key.Type = Key.self, value: Value.Type = Value.self) throws(BPFError) {
        try map.expect(key: MemoryLayout<Key>.size, value: MemoryLayout<Value>.size, isPerCPU: false)
        self.map = map
    }

    /// Nil when the key isn't there.
    public func value(of key: Key) throws(BPFError) -> Value? {
        try map.read([UInt8](bytesOf: key))?.values(of: Value.self).first
    }

    /// - Throws: `E2BIG` when the map is full; `EEXIST` or `ENOENT` where `update` says so.
    public func set(_ value: Value, for key: Key, _ update: BPFUpdate = .any) throws(BPFError) {
        try map.write([UInt8](bytesOf: key), [UInt8](bytesOf: value), update)
    }

    /// Answers whether it was there.
    @discardableResult
    public func remove(_ key: Key) throws(BPFError) -> Bool { try map.remove([UInt8](bytesOf: key)) }

    /// All that is there, in no order; what changes meanwhile may be missed, or come twice.
    public func entries() throws(BPFError) -> [(key: Key, value: Value)] {
        let all = try map.readAll()
        return Array(zip(all.keys.values(of: Key.self), all.values.values(of: Value.self)))
    }

    public func keys() throws(BPFError) -> [Key] { try map.readAll().keys.values(of: Key.self) }

    /// Writes many at once, in order, up to the first that is refused.
    public func set(_ entries: [(key: Key, value: Value)], _ update: BPFUpdate = .any) throws(BPFError) {
        var raw = RawEntries()
        for (key, value) in entries {
            raw.keys += [UInt8](bytesOf: key)
            raw.values += [UInt8](bytesOf: value)
        }
        try map.writeAll(raw, count: entries.count, update)
    }

    /// Removes many at once; those that aren't there count as removed.
    public func remove(_ keys: [Key]) throws(BPFError) {
        try map.removeAll(keys.flatMap { [UInt8](bytesOf: $0) }, count: keys.count)
    }
}

extension LoadedMap {
    func expect(key: Int, value: Int, isPerCPU: Bool) throws(BPFError) {
        guard layout.keySize == key, layout.valueSize == value, layout.isPerCPU == isPerCPU else {
            throw BPFError(
                operation: "use map \(name)", errno: EINVAL,
                log: "its keys have \(layout.keySize) and values \(layout.valueSize) bytes, not \(key) and \(value)"
                    + (layout.isPerCPU == isPerCPU ? "" : "; per CPU: \(layout.isPerCPU)"))
        }
    }
}

/// A C struct that a map holds: two are the same when the kernel finds no byte that differs.
protocol MapStruct {}

extension MapStruct where Self: BitwiseCopyable {
    func isSame(as other: Self) -> Bool { [UInt8](bytesOf: self) == [UInt8](bytesOf: other) }
}

extension tun_config: MapStruct {}
extension tun_endpoint: MapStruct {}
extension underlay: MapStruct {}

extension [UInt8] {
    /// The structs or numbers that lie in it back to back.
    func values<Value: BitwiseCopyable>(of type: Value.Type) -> [Value] {
        guard MemoryLayout<Value>.size > 0 else { return [] }
        return unsafe withUnsafeBytes { bytes in
            stride(from: 0, through: bytes.count - MemoryLayout<Value>.size, by: MemoryLayout<Value>.size).map {
                unsafe bytes.loadUnaligned(fromByteOffset: $0, as: Value.self)
            }
        }
    }
}
