import Glibc

/// A directory that goes with its value, with what is in it.
final class TemporaryDirectory {
    let path: String

    struct CannotMake: Error {}

    init() throws {
        var template = Array("/tmp/tunneld-test-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw CannotMake() }
        path = String(cString: made)
    }

    deinit {
        for name in entries { unlink(path + "/" + name) }
        rmdir(path)
    }

    var entries: [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
