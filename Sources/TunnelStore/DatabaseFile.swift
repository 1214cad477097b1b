internal import FoundationEssentials
internal import GRDB

/// The file of a database and those beside it.
enum DatabaseFile {
    /// The absolute path with symbolic links followed, so that each database has one lock whatever it is
    /// called by. (Nor does SQLite take an absolute path for a URI.)
    static func resolve(_ path: String) -> String {
        URL(filePath: path).resolvingSymlinksInPath().path(percentEncoded: false)
    }

    /// Makes the file, empty and only for its owner, and directories that are missing; leaves what is there.
    static func create(_ path: String) throws(StoreError) {
        let manager = FileManager.default
        do {
            let directory = URL(filePath: path).deletingLastPathComponent()
            if !manager.fileExists(atPath: directory.path(percentEncoded: false)) {
                try manager.createDirectory(
                    at: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            }
            guard !manager.fileExists(atPath: path) else { return }
            // O_EXCL: of two processes that start at once, neither empties what the other has made.
            try Data().write(to: URL(filePath: path), options: .withoutOverwriting)
            try manager.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        } catch {
            if manager.fileExists(atPath: path) { return }
            throw StoreError(.unwritable, path: path, message: "can't be created: \(words(of: error))")
        }
    }

    /// The system's words where there are some: Foundation's own don't say why.
    private static func words(of error: any Error) -> String {
        let underlying = (error as? CocoaError)?.underlying as? POSIXError
        return underlying.map { "\($0.code)" } ?? "\(error)"
    }
}
