/// An answer's status, headers and body.
///
/// `Date`, `Content-Length`, `Transfer-Encoding` and `Connection` are the server's. It adds
/// `X-Content-Type-Options: nosniff`, and `Cache-Control: no-store` unless the headers have one.
public struct Response: Sendable {
    public enum Body: Sendable {
        case none
        case bytes([UInt8])
        case stream(ResponseStream)
    }

    public var status: Int
    public var headers: [Header]
    public var body: Body

    public struct Header: Sendable, Equatable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    public init(status: Int, headers: [Header] = [], body: Body = .none) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    public init(status: Int, contentType: String, body: [UInt8], headers: [Header] = []) {
        self.init(
            status: status, headers: [Header("Content-Type", contentType)] + headers, body: .bytes(body))
    }

    /// Plain text, for a server whose caller gives no `onError`.
    init(_ error: HTTPError) {
        self.init(
            status: error.status, contentType: "text/plain; charset=utf-8",
            body: Array("\(error.detail)\n".utf8), headers: error.headers.map { Header($0.name, $0.value) })
    }

    func has(_ name: String) -> Bool {
        headers.contains { $0.name.count == name.count && $0.name.lowercased() == name.lowercased() }
    }

    var completeHeaders: [Header] {
        var all = headers
        if !has("Cache-Control") { all.append(Header("Cache-Control", "no-store")) }
        if !has("X-Content-Type-Options") { all.append(Header("X-Content-Type-Options", "nosniff")) }
        return all
    }

    var byteCount: Int {
        if case .bytes(let bytes) = body { bytes.count } else { 0 }
    }
}
