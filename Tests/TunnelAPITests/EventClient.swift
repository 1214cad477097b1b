import Glibc
import HTTPServer

/// A client that reads server-sent events as they come. Every wait is bounded.
final class EventClient {
    let status: Int
    let head: String
    private let descriptor: Int32
    private var bytes: [UInt8] = []

    /// - Parameter receiveBuffer: of the socket, so that a reader that doesn't read is soon behind.
    init(
        _ address: ListenAddress, _ target: String = "/v1/events", headers: [String] = [],
        accept: String = "text/event-stream", receiveBuffer: Int32? = nil
    ) throws {
        let descriptor = try connected(to: address, receiveBuffer: receiveBuffer)
        self.descriptor = descriptor
        // HTTP/1.0, so that the stream isn't cut into chunks.
        let lines = ["GET \(target) HTTP/1.0", "Accept: \(accept)"] + headers
        let request = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
        _ = request.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        var head: [UInt8] = []
        while !head.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            var byte: UInt8 = 0
            guard recv(descriptor, &byte, 1, 0) == 1 else {
                close(descriptor)
                throw HTTPFailure(message: "no head")
            }
            head.append(byte)
        }
        self.head = String(decoding: head, as: UTF8.self)
        status = self.head.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    }

    deinit { close(descriptor) }

    /// The next block of lines; nil at the stream's end.
    func block() throws -> String? {
        while true {
            if let end = bytes.indices.first(where: { bytes[$0...].starts(with: "\n\n".utf8) }) {
                defer { bytes.removeFirst(end + 2) }
                return String(decoding: bytes[..<end], as: UTF8.self)
            }
            guard try fill() else { return nil }
        }
    }

    /// The next so many bytes; fewer at the stream's end.
    func take(_ count: Int) throws -> [UInt8] {
        while bytes.count < count, try fill() {}
        defer { bytes.removeFirst(min(count, bytes.count)) }
        return Array(bytes.prefix(count))
    }

    /// The ids of the next so many events; what isn't an event is passed over.
    func ids(_ count: Int) throws -> [Int64] {
        var ids: [Int64] = []
        while ids.count < count, let block = try block() {
            let lines = block.split(separator: "\n")
            guard lines.contains(where: { $0.hasPrefix("data: ") }) else { continue }
            ids += lines.filter { $0.hasPrefix("id: ") }.compactMap { Int64($0.dropFirst(4)) }
        }
        return ids
    }

    private func fill() throws -> Bool {
        var piece = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &piece, piece.count, 0)
        if count < 0, errno == EAGAIN { throw HTTPFailure(message: "nothing came") }
        bytes += piece.prefix(max(0, count))
        return count > 0
    }
}
