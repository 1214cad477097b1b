import Glibc
import HTTPServer

/// A client that sends the bytes it is told to and reads answers as they come. Every call is bounded.
final class RawClient {
    struct Answer: Equatable {
        var status: Int
        var headers: [String: [String]]
        var body: [UInt8]

        var text: String { String(decoding: body, as: UTF8.self) }

        subscript(name: String) -> String? { headers[name]?.first }
    }

    enum Failure: Error, Equatable {
        case connect(Int32)
        case timeout
        case closed
        case notHTTP(String)
    }

    let descriptor: Int32
    private var buffer: [UInt8] = []

    init(_ address: ListenAddress, receiveBuffer: Int32? = nil) throws {
        switch address {
        case .tcp(let host, let port):
            descriptor = socket(host.contains(":") ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            setTimeout()
            if var size = receiveBuffer {
                setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
            }
            let result = host.contains(":") ? connect6(host, port) : connect4(host, port)
            if result != 0 { throw Failure.connect(errno) }
        case .unix(let path):
            descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            setTimeout()
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            if connect(to: address) != 0 { throw Failure.connect(errno) }
        }
    }

    deinit { close(descriptor) }

    private func setTimeout() {
        var bound = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &bound, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &bound, socklen_t(MemoryLayout<timeval>.size))
    }

    private func connect4(_ host: String, _ port: UInt16) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, host, &address.sin_addr)
        return connect(to: address)
    }

    private func connect6(_ host: String, _ port: UInt16) -> Int32 {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        inet_pton(AF_INET6, host, &address.sin6_addr)
        return connect(to: address)
    }

    private func connect<Address>(to address: Address) -> Int32 {
        withUnsafeBytes(of: address) { bytes in
            Glibc.connect(
                descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
    }

    // MARK: - Sending

    func send(_ text: String) { send(Array(text.utf8)) }

    /// Sends all of it, or as much as the server takes before it closes.
    func send(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Closes with a reset.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    // MARK: - Receiving

    /// More bytes; false at the end. A reset counts as the end.
    private func fill() throws -> Bool {
        var piece = [UInt8](repeating: 0, count: 64 * 1024)
        let count = recv(descriptor, &piece, piece.count, 0)
        if count > 0 {
            buffer += piece.prefix(count)
            return true
        }
        if count < 0, errno == EAGAIN { throw Failure.timeout }
        return false
    }

    func line() throws -> String {
        while true {
            if let end = buffer.firstIndex(of: 0x0A) {
                let line = buffer[..<end]
                buffer.removeFirst(end + 1)
                return String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
            }
            guard try fill() else { throw Failure.closed }
        }
    }

    func bytes(_ count: Int) throws -> [UInt8] {
        while buffer.count < count {
            guard try fill() else { throw Failure.closed }
        }
        defer { buffer.removeFirst(count) }
        return Array(buffer.prefix(count))
    }

    func head() throws -> Answer {
        let status = try line()
        guard status.hasPrefix("HTTP/1."),
            let code = Int(status.split(separator: " ").dropFirst().first ?? "")
        else { throw Failure.notHTTP(status) }
        var answer = Answer(status: code, headers: [:], body: [])
        while true {
            let line = try line()
            if line.isEmpty { return answer }
            guard let colon = line.firstIndex(of: ":") else { throw Failure.notHTTP(line) }
            let name = line[..<colon].lowercased()
            answer.headers[name, default: []].append(String(line[line.index(colon, offsetBy: 2)...]))
        }
    }

    func answer(toHead: Bool = false) throws -> Answer {
        var answer = try head()
        if toHead || answer.status < 200 || answer.status == 204 || answer.status == 304 { return answer }
        if answer["transfer-encoding"] == "chunked" {
            while let piece = try chunk() { answer.body += piece }
        } else if let length = answer["content-length"].flatMap({ Int($0) }) {
            answer.body = try bytes(length)
        } else {
            answer.body = try rest()
        }
        return answer
    }

    /// One chunk of a chunked body; nil at its end.
    func chunk() throws -> [UInt8]? {
        let size = try line()
        guard let count = Int(size, radix: 16) else { throw Failure.notHTTP(size) }
        let piece = try bytes(count)
        _ = try line()
        return count == 0 ? nil : piece
    }

    /// The first bytes that come, or none at the end.
    func someBytes() throws -> [UInt8] {
        if buffer.isEmpty { _ = try fill() }
        defer { buffer = [] }
        return buffer
    }

    /// Everything until the server closes.
    func rest() throws -> [UInt8] {
        while try fill() {}
        defer { buffer = [] }
        return buffer
    }

    /// Waits for the server to close; true if it sends nothing before.
    func isClosedWithoutMore() throws -> Bool { try rest().isEmpty }

    /// Sends a request without a body and reads the answer.
    func get(_ target: String, method: String = "GET", headers: String = "") throws -> Answer {
        send("\(method) \(target) HTTP/1.1\r\nHost: test\r\n\(headers)\r\n")
        return try answer(toHead: method == "HEAD")
    }
}
