internal import CMnl

/// A system call that failed, before it is known what it was for.
struct SystemCallError: Error, Hashable {
    let errno: Int32
}

/// The funnel of all system calls: repeats what a signal interrupted, and reads `errno` right after the call.
func retryingInterrupts(_ call: () -> Int) throws(SystemCallError) -> Int {
    while true {
        let result = call()
        if result >= 0 { return result }
        let errno = cmnl_errno()
        if errno != EINTR { throw SystemCallError(errno: errno) }
    }
}

extension NetlinkError {
    /// The error of the C call that just failed.
    static func last(_ operation: String) -> NetlinkError {
        NetlinkError(operation: operation, code: Code(rawValue: cmnl_errno()))
    }
}
