internal import CMnl

/// A network namespace of its own, for tests: it lives as long as this value, or whatever was opened inside.
///
/// No thread stays in it: each closure runs inside on a thread that is made for it.
public final class NetworkNamespace: Sendable {
    /// `/proc/…/ns/net`, open in this process.
    public let fileDescriptor: Int32

    /// Makes a new one, whose only link is the loopback, and that is down.
    ///
    /// - Throws: `EPERM` without `CAP_SYS_ADMIN`.
    public init() throws(NetlinkError) {
        fileDescriptor = try onThread("make a network namespace") { () throws(SystemCallError) in
            _ = try retryingInterrupts { Int(unshare(CLONE_NEWNET)) }
            return Int32(try retryingInterrupts { Int(cmnl_open_own_network_namespace()) })
        }
    }

    deinit { _ = close(fileDescriptor) }

    /// It, in a message: to create a link inside, or move one there.
    public var reference: NamespaceReference { .descriptor(fileDescriptor) }

    /// It, for other programs while this value lives: `nsenter --net=…`.
    public var path: String { "/proc/\(getpid())/fd/\(fileDescriptor)" }

    /// Runs `body` inside, and waits for it. A socket that it opens stays inside.
    ///
    /// - Throws: what `body` throws, or `NetlinkError` when there is no entering.
    public func run<Value>(_ body: () throws -> Value) throws -> Value {
        try onThread("enter a network namespace") { () throws(SystemCallError) in
            _ = try retryingInterrupts { Int(setns(fileDescriptor, CLONE_NEWNET)) }
            return Result { try body() }
        }.get()
    }
}

/// Runs `work` on a thread of its own and waits for it: a thread that has changed its namespace can't be trusted
/// with anything else.
private func onThread<Value>(
    _ operation: String, _ work: () throws(SystemCallError) -> Value
) throws(NetlinkError) -> Value {
    var result: Result<Value, SystemCallError>?
    let run = { result = Result(catching: work) }
    let status = withoutActuallyEscaping(run) { run in
        let body = unsafe Unmanaged.passRetained(ThreadBody(run))
        defer { unsafe body.release() }
        var thread = pthread_t()
        let status = unsafe pthread_create(&thread, nil, runThreadBody, body.toOpaque())
        if status == 0 { _ = pthread_join(thread, nil) }
        return status
    }
    switch result {
    case .success(let value): return value
    case .failure(let error): throw NetlinkError(operation: operation, code: .init(rawValue: error.errno))
    case nil: throw NetlinkError(operation: operation, code: .init(rawValue: status))
    }
}

/// A closure on its way through a C pointer.
private final class ThreadBody {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
}

private func runThreadBody(_ box: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let box = unsafe box else { return nil }
    unsafe Unmanaged<ThreadBody>.fromOpaque(box).takeUnretainedValue().run()
    return nil
}
