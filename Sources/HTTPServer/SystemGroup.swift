internal import CMicroHTTPD

/// The host's users and groups (getgrnam_r(3), getpwuid_r(3), getgrouplist(3)). Each call reads the system's
/// databases anew and may block: callers keep what they learn for a while.
public enum SystemGroup {
    /// The group's id; nil when there is none of that name.
    public static func id(named name: String) -> UInt32? {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: bufferSize) { buffer in
            guard let start = buffer.baseAddress else { return nil }
            var entry = unsafe group()
            var found: UnsafeMutablePointer<group>?
            let code = unsafe getgrnam_r(name, &entry, start, buffer.count, &found)
            return unsafe code == 0 ? found?.pointee.gr_gid : nil
        }
    }

    /// Whether the user belongs to the group, by primary or supplementary membership. False for an unknown
    /// user or group.
    public static func contains(user uid: UInt32, group name: String) -> Bool {
        guard let wanted = id(named: name) else { return false }
        return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: bufferSize) { buffer in
            guard let start = buffer.baseAddress else { return false }
            var entry = unsafe passwd()
            var found: UnsafeMutablePointer<passwd>?
            let code = unsafe getpwuid_r(uid, &entry, start, buffer.count, &found)
            guard code == 0, let found = unsafe found, let user = unsafe found.pointee.pw_name else {
                return false
            }
            return unsafe groups(of: user, primary: found.pointee.pw_gid).contains(wanted)
        }
    }

    private static func groups(of user: UnsafePointer<CChar>, primary: UInt32) -> [UInt32] {
        var count: Int32 = 64
        // The first call says how many there are, when there are more than fit.
        for _ in 0..<2 {
            var groups = [UInt32](repeating: 0, count: Int(count))
            if unsafe getgrouplist(user, primary, &groups, &count) >= 0 {
                return Array(groups.prefix(Int(count)))
            }
        }
        return [primary]
    }

    /// Larger than any entry that getpwuid_r(3) is known to need; group entries list their members.
    private static let bufferSize = 64 * 1024
}
