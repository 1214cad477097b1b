internal import CBPF

/// The programs of an object file, loaded into the kernel with their maps. They stay as long as this value lives or a
/// filter runs them.
public struct ProgramObject: Sendable {
    public let programs: [LoadedProgram]
    /// Those that were made for it, and those it shares.
    public let maps: [LoadedMap]

    /// Loads an object file.
    ///
    /// - Parameters:
    ///   - image: the ELF file's bytes, as `clang -target bpf` makes them. Its maps are defined with BTF; the kernel
    ///     needs none of its own.
    ///   - name: what messages call it; the kernel names the maps of global variables after it.
    ///   - maps: those to go on with. Each takes the place of the object's own of the same name; the others, and
    ///     global variables, are left out.
    /// - Throws: `EPERM` without the privilege; `EINVAL` where a map to go on with isn't laid out as the object's; what
    ///   the verifier says.
    public init(loading image: [UInt8], name: String, reusing maps: [LoadedMap] = []) throws(BPFError) {
        let (result, log) = LibraryLog.collecting {
            Result { () throws(BPFError) in try Self.load(image, name, maps) }
        }
        do throws(BPFError) {
            (programs, self.maps) = try result.get()
        } catch {
            throw error.explained(by: log)
        }
    }

    public func program(named name: String) -> LoadedProgram? { programs.first { $0.name == name } }
    public func map(named name: String) -> LoadedMap? { maps.first { $0.name == name } }

    private static func load(
        _ image: [UInt8], _ name: String, _ maps: [LoadedMap]
    ) throws(BPFError) -> ([LoadedProgram], [LoadedMap]) {
        let object = try OpenObject(image, name)
        try object.reuse(maps)
        try object.load()
        return (try object.programs(), try object.maps())
    }
}

/// libbpf's own object, while it is being loaded; what it opened is closed with it.
@safe private final class OpenObject {
    private let pointer: OpaquePointer
    private let name: String

    init(_ image: [UInt8], _ name: String) throws(BPFError) {
        let pointer = unsafe name.withCString { name in
            var options = unsafe bpf_object_open_opts()
            unsafe options.sz = MemoryLayout<bpf_object_open_opts>.size
            unsafe options.object_name = name
            return unsafe image.withUnsafeBytes {
                unsafe bpf_object__open_mem($0.baseAddress, $0.count, &options)
            }
        }
        guard let pointer = unsafe pointer else {
            let errno = cbpf_errno()
            throw BPFError(operation: "open object \(name)", errno: errno)
        }
        unsafe self.pointer = pointer
        self.name = name
    }

    deinit { unsafe bpf_object__close(pointer) }

    /// Has the object go on with these. libbpf itself would take one of any layout.
    func reuse(_ maps: [LoadedMap]) throws(BPFError) {
        var next = unsafe bpf_object__next_map(pointer, nil)
        while let own = unsafe next {
            defer { unsafe next = bpf_object__next_map(pointer, own) }
            let name = unsafe String(cString: bpf_map__name(own))
            guard unsafe !bpf_map__is_internal(own), let map = maps.first(where: { $0.name == name }) else { continue }
            let layout = unsafe LoadedMap.Layout(own)
            guard layout == map.layout else {
                throw BPFError(
                    operation: "go on with map \(name)", errno: EINVAL,
                    log: "it is \(map.layout.text), and shall be \(layout.text)")
            }
            try calling("go on with map \(name)") { unsafe bpf_map__reuse_fd(own, map.descriptor.number) }
        }
    }

    func load() throws(BPFError) {
        try calling("load object \(name)") { unsafe bpf_object__load(pointer) }
    }

    func programs() throws(BPFError) -> [LoadedProgram] {
        var programs: [LoadedProgram] = []
        var next = unsafe bpf_object__next_program(pointer, nil)
        while let program = unsafe next {
            programs.append(try LoadedProgram(Descriptor(duplicating: unsafe bpf_program__fd(program))))
            unsafe next = bpf_object__next_program(pointer, program)
        }
        return programs
    }

    func maps() throws(BPFError) -> [LoadedMap] {
        var maps: [LoadedMap] = []
        var next = unsafe bpf_object__next_map(pointer, nil)
        while let map = unsafe next {
            maps.append(try LoadedMap(Descriptor(duplicating: unsafe bpf_map__fd(map))))
            unsafe next = bpf_object__next_map(pointer, map)
        }
        return maps
    }
}

extension Descriptor {
    /// One of our own for what another owns.
    fileprivate convenience init(duplicating other: Int32) throws(BPFError) {
        self.init(try calling("duplicate a descriptor") { cbpf_duplicate(other) })
    }
}

extension LoadedMap.Layout {
    /// As the object file defines it.
    fileprivate init(_ map: OpaquePointer) {
        self.init(
            type: unsafe bpf_map__type(map).rawValue, keySize: Int(unsafe bpf_map__key_size(map)),
            valueSize: Int(unsafe bpf_map__value_size(map)), capacity: Int(unsafe bpf_map__max_entries(map)),
            flags: unsafe bpf_map__map_flags(map))
    }

    fileprivate var text: String {
        "of type \(type), keys of \(keySize) and values of \(valueSize) bytes, \(capacity) entries, flags \(flags)"
    }
}
