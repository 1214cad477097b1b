internal import CMnl

/// The one owner of a libmnl socket of `NETLINK_ROUTE`: opens, sends, receives, closes. It never blocks but in
/// `waitUntilReadable`, for a bounded time.
@safe final class KernelSocket {
    /// Valid until `deinit`, and never handed out.
    private let socket: OpaquePointer
    /// Our address, which each answer carries (`nlmsg_pid`).
    let portID: UInt32
    /// What the kernel granted, in bytes; it counts its own overhead in.
    let sendCapacity: Int
    let receiveCapacity: Int

    /// - Parameters:
    ///   - groups: multicast groups as the bit mask of `bind` (`RTMGRP_…`).
    ///   - port: our address; 0 lets the kernel choose.
    ///   - receiveBuffer: how much may wait for us, in bytes.
    init(groups: UInt32 = 0, port: UInt32 = 0, receiveBuffer: Int32) throws(NetlinkError) {
        let flags = Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        guard let socket = unsafe mnl_socket_open2(NETLINK_ROUTE, flags) else {
            throw NetlinkError.last("open a netlink socket")
        }
        guard unsafe mnl_socket_bind(socket, groups, pid_t(bitPattern: port)) == 0 else {
            let error = NetlinkError.last("bind a netlink socket")
            _ = unsafe mnl_socket_close(socket)
            throw error
        }
        unsafe self.socket = socket
        portID = unsafe mnl_socket_get_portid(socket)
        let descriptor = unsafe mnl_socket_get_fd(socket)
        for option in [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK] {
            // A kernel that lacks one (before 4.12, 4.3, 4.20) answers with fewer words or unfiltered.
            _ = descriptor.setOption(SOL_NETLINK, option, 1)
        }
        sendCapacity = descriptor.enlarge(SO_SNDBUF, force: SO_SNDBUFFORCE, to: 2 << 20)
        receiveCapacity = descriptor.enlarge(SO_RCVBUF, force: SO_RCVBUFFORCE, to: receiveBuffer)
    }

    deinit { _ = unsafe mnl_socket_close(socket) }

    var fileDescriptor: Int32 { unsafe mnl_socket_get_fd(socket) }

    func send(_ bytes: [UInt8]) throws(SystemCallError) {
        _ = try retryingInterrupts {
            unsafe bytes.withUnsafeBytes { unsafe mnl_socket_sendto(socket, $0.baseAddress, $0.count) }
        }
    }

    /// All datagrams that wait, as far as the buffer has slots for them.
    ///
    /// Only a process with `CAP_NET_ADMIN` could send us one in the kernel's stead (`netlink_sendmsg`).
    ///
    /// - Returns: false when none was waiting.
    func receive(
        into buffer: inout ReceiveBuffer, slots: Int
    ) throws(SystemCallError) -> Bool {
        do {
            try unsafe buffer.fill(slots: slots) { (start, slot, slots, lengths) throws(SystemCallError) in
                try retryingInterrupts {
                    Int(unsafe cmnl_receive_many(fileDescriptor, start, slot, Int32(slots), lengths))
                }
            }
            return true
        } catch {
            if error.errno == EAGAIN { return false }
            throw error
        }
    }

    /// Waits until there is something to receive: an answer, or an error.
    func waitUntilReadable(milliseconds: Int32) throws(SystemCallError) {
        var request = pollfd(fd: fileDescriptor, events: Int16(POLLIN), revents: 0)
        let ready = try retryingInterrupts { Int(unsafe poll(&request, 1, milliseconds)) }
        if ready == 0 { throw SystemCallError(errno: ETIMEDOUT) }
    }
}

extension Int32 {
    /// `setsockopt` with a number on this descriptor.
    fileprivate func setOption(_ level: Int32, _ option: Int32, _ value: Int32) -> Bool {
        var value = value
        return unsafe setsockopt(self, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0
    }

    /// Sets a buffer's size past the host's limit, or up to it without the privilege; answers what it became.
    fileprivate func enlarge(_ option: Int32, force: Int32, to size: Int32) -> Int {
        if !setOption(SOL_SOCKET, force, size) { _ = setOption(SOL_SOCKET, option, size) }
        var granted: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        _ = unsafe getsockopt(self, SOL_SOCKET, option, &granted, &length)
        return Int(granted)
    }
}
