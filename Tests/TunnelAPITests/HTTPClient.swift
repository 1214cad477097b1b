import Glibc
import HTTPServer

/// What came back, read off the socket.
struct HTTPAnswer {
    var status: Int
    /// By lower-case name.
    var headers: [String: String]
    var body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }
}

struct HTTPFailure: Error {
    var message: String
}

/// One request on a connection of its own, until the server closes it.
func send(
    _ method: String, _ target: String, headers: [String] = [], body: String? = nil, to address: ListenAddress
) throws -> HTTPAnswer {
    try PendingAnswer(method, target, headers: headers, body: body, to: address).wait()
}

/// A request whose answer is read later.
final class PendingAnswer {
    private let descriptor: Int32

    init(
        _ method: String, _ target: String, headers: [String] = [], body: String? = nil, to address: ListenAddress
    ) throws {
        descriptor = try connected(to: address)
        begin(method, target, headers: headers, body: body, on: descriptor)
    }

    deinit { close(descriptor) }

    func wait() throws -> HTTPAnswer { try parsed(received(descriptor)) }
}

private func begin(_ method: String, _ target: String, headers: [String], body: String?, on descriptor: Int32) {
    var request = "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    for header in headers { request += header + "\r\n" }
    if let body { request += "Content-Length: \(body.utf8.count)\r\n\r\n\(body)" } else { request += "\r\n" }
    var bytes = Array(request.utf8)[...]
    while !bytes.isEmpty {
        let count = bytes.withUnsafeBytes {
            Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        guard count > 0 else { break }
        bytes = bytes.dropFirst(count)
    }
}

func connected(to address: ListenAddress, receiveBuffer: Int32? = nil) throws -> Int32 {
    var timeout = timeval(tv_sec: 20, tv_usec: 0)
    let isUnix = if case .unix = address { true } else { false }
    let descriptor = socket(isUnix ? AF_UNIX : AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    if var size = receiveBuffer {
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }
    let result: Int32
    switch address {
    case .unix(let path):
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
        result = withUnsafePointer(to: name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    case .tcp(_, let port):
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        result = withUnsafePointer(to: name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
    guard result == 0 else {
        close(descriptor)
        throw HTTPFailure(message: "connect to \(address): errno \(errno)")
    }
    return descriptor
}

private func received(_ descriptor: Int32) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { return bytes }
        bytes += buffer[..<count]
    }
}

private func parsed(_ bytes: [UInt8]) throws -> HTTPAnswer {
    let end = bytes.indices.first { bytes[$0...].starts(with: "\r\n\r\n".utf8) }
    guard let end else { throw HTTPFailure(message: "no head in \(bytes.count) bytes") }
    let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
    guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
        throw HTTPFailure(message: "no status in \(lines)")
    }
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
        let parts = line.split(separator: ":", maxSplits: 1)
        headers[parts[0].lowercased()] = parts.count == 2 ? String(parts[1].drop { $0 == " " }) : ""
    }
    return HTTPAnswer(status: status, headers: headers, body: Array(bytes[(end + 4)...]))
}
