/// What the server itself refuses. The caller's `onError` makes a response of it.
public enum HTTPError: Error, Sendable, Equatable {
    /// 400. The text says what is wrong with the request; it never holds a header's value.
    case badRequest(String)
    case notFound
    case methodNotAllowed(allow: [Method])
    case requestTimeout
    case lengthRequired
    case payloadTooLarge(limitBytes: Int)
    case uriTooLong(limitBytes: Int)
    /// 415, for handlers: the media types that would be accepted.
    case unsupportedMediaType(accepts: [String])
    /// 417: an `Expect` other than `100-continue`.
    case expectationFailed
    /// 431. The text says which limit was passed.
    case headersTooLarge(String)
    case internalError
    /// 503: a limit on what the server holds at a time. Try again later.
    case overloaded(String)
    /// 503: the server is stopping.
    case stopping
    case versionNotSupported

    public var status: Int {
        switch self {
        case .badRequest: 400
        case .notFound: 404
        case .methodNotAllowed: 405
        case .requestTimeout: 408
        case .lengthRequired: 411
        case .payloadTooLarge: 413
        case .uriTooLong: 414
        case .unsupportedMediaType: 415
        case .expectationFailed: 417
        case .headersTooLarge: 431
        case .internalError: 500
        case .overloaded, .stopping: 503
        case .versionNotSupported: 505
        }
    }

    /// One sentence for the client.
    public var detail: String {
        switch self {
        case .badRequest(let reason), .headersTooLarge(let reason), .overloaded(let reason): reason
        case .notFound: "There is nothing at this path."
        case .methodNotAllowed(let allow):
            "This path answers \(allow.map(\.rawValue).joined(separator: ", "))."
        case .requestTimeout: "The request took too long to arrive."
        case .lengthRequired: "Say how long the body is with Content-Length."
        case .payloadTooLarge(let limit): "The body must not be larger than \(limit) bytes."
        case .uriTooLong(let limit): "The target must not be longer than \(limit) bytes."
        case .unsupportedMediaType(let accepts): "Send \(accepts.joined(separator: " or "))."
        case .expectationFailed: "The only expectation that can be met is 100-continue."
        case .internalError: "The server failed to answer; its log says why."
        case .stopping: "The server is stopping."
        case .versionNotSupported: "Use HTTP/1.1."
        }
    }

    /// Headers that the status asks for: `Allow` with 405, `Retry-After` with 503, `Accept` with 415.
    public var headers: [(name: String, value: String)] {
        switch self {
        case .methodNotAllowed(let allow):
            [("Allow", allow.map(\.rawValue).joined(separator: ", "))]
        case .overloaded, .stopping: [("Retry-After", "1")]
        case .unsupportedMediaType(let accepts): [("Accept", accepts.joined(separator: ", "))]
        default: []
        }
    }

    /// What a page that libmicrohttpd makes by itself stands for.
    init(ownPageStatus status: Int, limits: Limits) {
        self =
            switch status {
            case 400: .badRequest("The request is not HTTP/1.1.")
            case 413: .payloadTooLarge(limitBytes: limits.bodyBytes)
            case 414: .uriTooLong(limitBytes: limits.targetBytes)
            case 431: .headersTooLarge("The headers must not be larger than \(limits.headerBytes) bytes.")
            case 505: .versionNotSupported
            default: .internalError
            }
    }
}
