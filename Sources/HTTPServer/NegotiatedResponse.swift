internal import Synchronization

/// A prepared response that is sent as it is or compressed, as the client accepts it, and not at all where the client
/// has it already. It is compressed once, when somebody first asks for that.
public final class NegotiatedResponse: Sendable {
    private enum Compressed {
        case notYet
        /// nil where it wouldn't be shorter.
        case made(PreparedResponse?)
    }

    /// What is common to both forms: all but the body.
    private let head: Response
    private let plain: PreparedResponse
    /// Without quotes.
    private let tag: String?
    private let level: Int
    /// Held while it is made, so that those who ask at the same time share it.
    private let compressed = Mutex(Compressed.notYet)

    /// - Parameters:
    ///   - response: its body is bytes. `ETag`, `Vary` and `Content-Encoding` are added.
    ///   - tag: of these very bytes, without quotes; nil for a response that is never known already.
    ///   - level: of the compression, 1 to 9.
    /// - Returns: nil as ``PreparedResponse`` does.
    public init?(_ response: Response, tag: String? = nil, level: Int = 6) {
        guard let plain = PreparedResponse(Self.form(of: response, tag: tag)) else { return nil }
        head = Response(status: response.status, headers: response.headers)
        self.plain = plain
        self.tag = tag
        self.level = level
    }

    /// The form that the request accepts, or 304 where its `If-None-Match` names either (RFC 9110, section 13.1.2).
    public func answer(to request: Request) -> Answer {
        let form = request.acceptsGzip ? compressedForm() : nil
        guard isKnown(to: request) else { return .prepared(form ?? plain) }
        let kept = ["ETag", "Vary", "Cache-Control"]
        let headers = (form ?? plain).headers.filter { kept.contains($0.name) }
        return .response(Response(status: 304, headers: headers))
    }

    private func compressedForm() -> PreparedResponse? {
        compressed.withLock { compressed in
            if case .made(let form) = compressed { return form }
            let form = compress()
            compressed = .made(form)
            return form
        }
    }

    private func compress() -> PreparedResponse? {
        guard case .bytes(let bytes) = plain.response.body, let shorter = Gzip.compress(bytes, level: level),
            shorter.count < bytes.count
        else { return nil }
        var response = head
        response.body = .bytes(shorter)
        response.headers.append(.init("Content-Encoding", "gzip"))
        // Other bytes are another representation, with another strong tag.
        return PreparedResponse(Self.form(of: response, tag: tag.map { $0 + Self.tagEnd }))
    }

    private static let tagEnd = "-gzip"

    private static func form(of response: Response, tag: String?) -> Response {
        var response = response
        response.headers.append(.init("Vary", "Accept-Encoding"))
        if let tag { response.headers.append(.init("ETag", "\"\(tag)\"")) }
        return response
    }

    /// By the weak comparison; our tags have no commas.
    private func isKnown(to request: Request) -> Bool {
        guard let tag else { return false }
        let ours = ["*", "\"\(tag)\"", "\"\(tag)\(Self.tagEnd)\""]
        return request.headers.values("If-None-Match").contains { value in
            value.split(separator: ",").contains { item in
                let item = item.trimmingBlanks
                return ours.contains(String(item.hasPrefix("W/") ? item.dropFirst(2) : item))
            }
        }
    }
}

extension Request {
    /// Whether `Accept-Encoding` allows gzip (RFC 9110, section 12.5.3).
    public var acceptsGzip: Bool {
        var others: Bool?
        for value in headers.values("Accept-Encoding") {
            for item in value.split(separator: ",") {
                let parts = item.split(separator: ";").map(\.trimmingBlanks)
                let isAccepted = !parts.dropFirst().contains(where: Self.isRefusal)
                switch parts.first?.lowercased() {
                case "gzip", "x-gzip": return isAccepted
                case "*": others = isAccepted
                default: break
                }
            }
        }
        return others ?? false
    }

    /// `q=0`.
    private static func isRefusal(_ parameter: Substring) -> Bool {
        let sides = parameter.split(separator: "=").map(\.trimmingBlanks)
        return sides.count == 2 && sides[0].lowercased() == "q" && Double(sides[1]) == 0
    }
}

extension Substring {
    fileprivate var trimmingBlanks: Substring {
        var text = self
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}
