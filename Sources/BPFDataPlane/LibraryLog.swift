internal import CBPF
internal import Synchronization

/// What libbpf says. It has one log for the whole process and would write it to the standard error.
enum LibraryLog {
    private static let turn = Mutex(())
    private static let text = Mutex("")

    private static let redirected: Void = {
        _ = unsafe libbpf_set_print { level, format, arguments in
            guard level != LIBBPF_DEBUG, let format = unsafe format, let arguments = unsafe arguments else { return 0 }
            var line: UnsafeMutablePointer<CChar>?
            guard unsafe vasprintf(&line, format, arguments) >= 0, let line = unsafe line else { return 0 }
            defer { unsafe free(line) }
            let said = unsafe String(cString: line)
            text.withLock { $0 += said }
            return 0
        }
    }()

    /// Runs `body`, one at a time in the process, and answers what libbpf said meanwhile.
    static func collecting<Value: Sendable>(_ body: () -> Value) -> (Value, log: String) {
        turn.withLock { _ in
            text.withLock { $0 = "" }
            let value = redirecting(body)
            let log = text.withLock { text in
                defer { text = "" }
                return text
            }
            return (value, log)
        }
    }

    /// Runs `body` without a word on the standard error.
    static func redirecting<Value>(_ body: () -> Value) -> Value {
        redirected
        return body()
    }
}
