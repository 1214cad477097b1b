internal import Glibc

/// How many descriptors the process may have open.
enum OpenFiles {
    /// Two listeners' connections, and what else there is. Most systems start a service with 1,024.
    private static let wanted: rlim_t = 8192

    /// How many there may be now.
    static var limit: Int {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return Int(clamping: limit.rlim_cur)
    }

    /// Raises the limit as far as is wanted and permitted (`setrlimit(2)`).
    static func raiseLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < wanted else {
            return
        }
        limit.rlim_cur = min(wanted, limit.rlim_max)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
