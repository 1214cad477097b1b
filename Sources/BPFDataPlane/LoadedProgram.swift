internal import CBPF

/// A program in the kernel, and a hold on it.
public struct LoadedProgram: Sendable {
    /// As far as the kernel keeps it: 15 bytes.
    public let name: String
    /// Its number in the kernel, as `TrafficFilter.programID` tells it.
    public let id: UInt32
    /// What the kernel makes of its instructions: the same instructions have the same one, whatever its maps.
    public let tag: [UInt8]
    /// The numbers of the maps that it uses.
    public let mapIDs: [UInt32]
    let descriptor: Descriptor

    /// For `Request.addFilter`; valid while this value lives.
    public var fileDescriptor: Int32 { descriptor.number }

    /// Finds a program by its number.
    ///
    /// - Throws: `ENOENT` when there is none, `EPERM` without `CAP_SYS_ADMIN` (`bpf_prog_get_fd_by_id`).
    public init(id: UInt32) throws(BPFError) {
        let number = try calling("find program \(id)") { bpf_prog_get_fd_by_id(id) }
        try self.init(Descriptor(number))
    }

    init(_ descriptor: Descriptor) throws(BPFError) {
        let operation = "read what a program is"
        var info = bpf_prog_info()
        try descriptor.readInfo(into: &info, operation)
        // The second reading answers with the maps' numbers, as many as the first one counted.
        var maps = [UInt32](repeating: 0, count: Int(info.nr_map_ids))
        if !maps.isEmpty {
            info = bpf_prog_info()
            info.nr_map_ids = UInt32(maps.count)
            try unsafe maps.withUnsafeMutableBufferPointer { (buffer) throws(BPFError) in
                info.map_ids = UInt64(UInt(bitPattern: buffer.baseAddress))
                try descriptor.readInfo(into: &info, operation)
            }
        }
        name = String(fixed: info.name)
        id = info.id
        tag = [UInt8](bytesOf: info.tag)
        mapIDs = maps
        self.descriptor = descriptor
    }

    /// The maps that it uses, so that another program can go on with them.
    ///
    /// - Throws: `EPERM` without `CAP_SYS_ADMIN` (`bpf_map_get_fd_by_id`).
    public func maps() throws(BPFError) -> [LoadedMap] {
        var maps: [LoadedMap] = []
        for id in mapIDs { maps.append(try LoadedMap(id: id)) }
        return maps
    }
}

extension Descriptor {
    /// `BPF_OBJ_GET_INFO_BY_FD`: fills in as much of the struct as the kernel knows.
    func readInfo<Info>(into info: inout Info, _ operation: String) throws(BPFError) {
        try calling(operation) {
            unsafe withUnsafeMutableBytes(of: &info) { info in
                var length = UInt32(info.count)
                return unsafe bpf_obj_get_info_by_fd(number, info.baseAddress, &length)
            }
        }
    }
}

extension String {
    /// From an array of characters in a C struct: up to the first NUL.
    init<Characters: BitwiseCopyable>(fixed characters: Characters) {
        self.init(decoding: [UInt8](bytesOf: characters).prefix { $0 != 0 }, as: UTF8.self)
    }
}

extension [UInt8] {
    /// A value as it lies in memory.
    init<Value: BitwiseCopyable>(bytesOf value: Value) {
        self = unsafe Swift.withUnsafeBytes(of: value) { unsafe Array($0) }
    }
}
