internal import CBPF

/// A map of counters that each CPU counts by itself. A value is a C struct of nothing but `__u64`; what is read is the
/// sum over all CPUs.
public struct PerCPUCounters<Key: BitwiseCopyable & Sendable, Value: BitwiseCopyable & Sendable>: Sendable {
    public let map: LoadedMap

    /// - Throws: `EINVAL` when the map's keys or values are of another size, or it isn't per CPU.
    public init(_ map: LoadedMap, key: Key.Type = Key.self, value: Value.Type = Value.self) throws(BPFError) {
        try map.expect(key: MemoryLayout<Key>.size, value: MemoryLayout<Value>.size, isPerCPU: true)
        guard MemoryLayout<Value>.size % 8 == 0 else {
            throw BPFError(operation: "use map \(map.name)", errno: EINVAL, log: "its values aren't made of __u64")
        }
        self.map = map
    }

    /// The sum; nil when the key isn't there.
    public func total(of key: Key) throws(BPFError) -> Value? {
        guard let bytes = try map.read([UInt8](bytesOf: key)) else { return nil }
        return sums(bytes).first
    }

    /// The sums of all keys, in no order.
    public func totals() throws(BPFError) -> [(key: Key, total: Value)] {
        let all = try map.readAll()
        return Array(zip(all.keys.values(of: Key.self), sums(all.values)))
    }

    public func keys() throws(BPFError) -> [Key] { try map.readAll().keys.values(of: Key.self) }

    /// Counts a key from zero on each CPU.
    ///
    /// - Throws: `E2BIG` when the map is full; `EEXIST` or `ENOENT` where `update` says so.
    public func reset(_ key: Key, _ update: BPFUpdate = .any) throws(BPFError) {
        try map.write([UInt8](bytesOf: key), [UInt8](repeating: 0, count: map.valueBytes), update)
    }

    /// The same for many, in order, up to the first that is refused.
    public func reset(_ keys: [Key], _ update: BPFUpdate = .any) throws(BPFError) {
        let raw = RawEntries(
            keys: keys.flatMap { [UInt8](bytesOf: $0) },
            values: [UInt8](repeating: 0, count: keys.count * map.valueBytes))
        try map.writeAll(raw, count: keys.count, update)
    }

    /// Answers whether it was there.
    @discardableResult
    public func remove(_ key: Key) throws(BPFError) -> Bool { try map.remove([UInt8](bytesOf: key)) }

    /// Removes many at once; those that aren't there count as removed.
    public func remove(_ keys: [Key]) throws(BPFError) {
        try map.removeAll(keys.flatMap { [UInt8](bytesOf: $0) }, count: keys.count)
    }

    /// Adds up, number by number, what the CPUs have of each entry.
    private func sums(_ bytes: [UInt8]) -> [Value] {
        let numbers = bytes.values(of: UInt64.self)
        let (entry, each) = (map.valueBytes / 8, map.layout.valueSize / 8)
        var sums: [UInt64] = []
        sums.reserveCapacity(numbers.count / entry * each)
        for start in stride(from: 0, to: numbers.count, by: entry) {
            for number in start..<start + each {
                var sum: UInt64 = 0
                for position in stride(from: number, to: start + entry, by: each) { sum &+= numbers[position] }
                sums.append(sum)
            }
        }
        return unsafe sums.withUnsafeBytes { unsafe Array($0) }.values(of: Value.self)
    }
}
