internal import CBPF

/// A map in the kernel, and a hold on it.
public struct LoadedMap: Sendable {
    /// What a program counts on.
    public struct Layout: Hashable, Sendable {
        /// `BPF_MAP_TYPE_…`.
        public var type: UInt32
        /// Bytes of a key, and of a value (for one CPU).
        public var keySize: Int
        public var valueSize: Int
        /// The most entries.
        public var capacity: Int
        /// `BPF_F_…`.
        public var flags: UInt32
    }

    /// As far as the kernel keeps it: 15 bytes.
    public let name: String
    /// Its number in the kernel.
    public let id: UInt32
    public let layout: Layout
    /// The bytes of all values of an entry, as the kernel copies them: those of each possible CPU, each padded to 8.
    let valueBytes: Int
    let descriptor: Descriptor

    /// Finds a map by its number.
    ///
    /// - Throws: `ENOENT` when there is none, `EPERM` without `CAP_SYS_ADMIN` (`bpf_map_get_fd_by_id`).
    public init(id: UInt32) throws(BPFError) {
        let number = try calling("find map \(id)") { bpf_map_get_fd_by_id(id) }
        try self.init(Descriptor(number))
    }

    init(_ descriptor: Descriptor) throws(BPFError) {
        var info = bpf_map_info()
        try descriptor.readInfo(into: &info, "read what a map is")
        name = String(fixed: info.name)
        id = info.id
        layout = Layout(
            type: info.type, keySize: Int(info.key_size), valueSize: Int(info.value_size),
            capacity: Int(info.max_entries), flags: info.map_flags)
        self.descriptor = descriptor
        guard layout.isPerCPU else {
            valueBytes = layout.valueSize
            return
        }
        // The kernel writes as many bytes as there are CPUs, whatever we have room for.
        let cpus = try calling("count the CPUs for map \(name)") { Self.possibleCPUs }
        valueBytes = Int(cpus) * ((layout.valueSize + 7) & ~7)
    }

    /// How many CPUs there can be, whether on or off; it never changes. Negative where /sys isn't there to tell.
    static let possibleCPUs = LibraryLog.redirecting { libbpf_num_possible_cpus() }
}

extension LoadedMap.Layout {
    /// Whether each CPU has values of its own in it.
    var isPerCPU: Bool {
        [BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_LRU_PERCPU_HASH, BPF_MAP_TYPE_PERCPU_ARRAY]
            .contains { $0.rawValue == type }
    }
}
