internal import CMicroHTTPD
internal import Glibc

/// A flag that one thread raises and another waits for (eventfd(2)).
final class Signal: Sendable {
    let descriptor: Int32

    init() throws(ListenError) {
        descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        if descriptor < 0 { throw .system(operation: "eventfd", errno: errno) }
    }

    deinit { _ = CMicroHTTPD.close(descriptor) }

    func raise() { _ = eventfd_write(descriptor, 1) }

    func lower() {
        var count: eventfd_t = 0
        _ = unsafe eventfd_read(descriptor, &count)
    }

    /// Waits until it is raised, and lowers it.
    func wait(milliseconds: Int32) {
        var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        _ = unsafe poll(&event, 1, milliseconds)
        lower()
    }
}
