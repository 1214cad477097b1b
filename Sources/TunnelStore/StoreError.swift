internal import GRDB

/// Why the database couldn't be opened, read or written.
public struct StoreError: Error, Hashable, Sendable {
    public enum Code: Hashable, Sendable {
        /// The file or its directory can't be made, opened or written.
        case unwritable
        /// No space is left (`SQLITE_FULL`). The transaction was rolled back.
        case full
        /// Another daemon serves the database.
        case inUse
        /// Another process held the write lock for longer than the store waits (`SQLITE_BUSY`).
        case busy
        /// A later version of tunneld has written it.
        case newer
        /// A database of another program.
        case foreign
        /// Not a database, cut off, or with broken pages (`SQLITE_NOTADB`, `SQLITE_CORRUPT`).
        case damaged
        /// The disk or file system failed (`SQLITE_IOERR`).
        case inputOutput
        /// A row that the schema doesn't allow: a mistake of the caller.
        case constraint
        case other
    }

    public let code: Code
    /// The database, or the file beside it that is meant.
    public let path: String
    /// SQLite's own words, or the file system's.
    public let message: String
    /// SQLite's extended result code (<https://www.sqlite.org/rescode.html>), where it is one of SQLite's.
    public let resultCode: Int32?

    init(_ code: Code, path: String, message: String, resultCode: Int32? = nil) {
        self.code = code
        self.path = path
        self.message = message
        self.resultCode = resultCode
    }

    /// What to do about it, as a sentence for the operator.
    public var remedy: String {
        switch code {
        case .unwritable:
            "Let the user that runs tunneld write the file and its directory, or name another database."
        case .full:
            "Free space on its file system; nothing of this change was stored."
        case .inUse:
            "Stop the other tunneld, or name another database."
        case .busy:
            "Another process is writing it; try again when that is done."
        case .newer:
            "Install the tunneld that wrote it or a later one, or restore a backup from before the upgrade."
        case .foreign:
            "Name another database; this file was left as it is."
        case .damaged:
            "Restore a backup, or move the file and those beside it away and define the tunnels again."
        case .inputOutput:
            "Look for errors of the disk or file system in the kernel's log."
        case .constraint, .other:
            "Report this as a bug of tunneld, with this message."
        }
    }
}

extension StoreError: CustomStringConvertible {
    public var description: String { "\(path): \(message). \(remedy)" }
}

extension StoreError {
    /// What SQLite, GRDB's row decoding or the file system reported.
    init(_ error: any Error, path: String) {
        switch error {
        case let error as StoreError:
            self = error
        case let error as DatabaseError:
            self.init(
                Code(error.resultCode), path: path, message: error.message ?? "\(error.resultCode)",
                resultCode: error.extendedResultCode.rawValue)
        case is RowDecodingError, is UnreadableRow:
            self.init(.damaged, path: path, message: "a row holds what can't be: \(error)")
        default:
            self.init(.other, path: path, message: "\(error)")
        }
    }
}

extension StoreError.Code {
    fileprivate init(_ code: ResultCode) {
        self =
            switch code {
            case .SQLITE_FULL: .full
            case .SQLITE_BUSY, .SQLITE_LOCKED: .busy
            case .SQLITE_CORRUPT, .SQLITE_NOTADB: .damaged
            case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH: .unwritable
            case .SQLITE_IOERR: .inputOutput
            case .SQLITE_CONSTRAINT: .constraint
            default: .other
            }
    }
}

/// A row that SQLite could read and that is no value of ours.
struct UnreadableRow: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
