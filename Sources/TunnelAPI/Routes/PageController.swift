internal import HTTPServer

/// The web page at `/`, and the files that it is made of at `/assets/{file}`. All of it is in the binary, and nobody
/// needs a token for it: it holds nothing of the host.
struct PageController: Sendable {
    /// By name; compressed when first asked for, and then kept.
    private let files: [String: NegotiatedResponse]

    init() {
        var files: [String: NegotiatedResponse] = [:]
        for (name, bytes) in PageFiles.all {
            files[name] = NegotiatedResponse(Self.response(name, bytes), tag: Self.tag(bytes), level: 9)
        }
        self.files = files
    }

    var routes: [Route] {
        [
            Route(.get, "/", isOpen: true) { request in try answer(request, "index.html") },
            Route(.get, "/assets/{file}", isOpen: true) { request in
                try answer(request, request.parameters["file"] ?? "")
            },
        ]
    }

    private func answer(_ request: Request, _ name: String) throws -> Answer {
        _ = try Query(request)
        guard let file = files[name] else { throw HTTPError.notFound }
        return file.answer(to: request)
    }

    /// The page asks only this server, runs only these scripts, is shown in no other page's frame, and makes nothing of
    /// texts but texts.
    private static let policy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self'",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ].joined(separator: "; ")

    private static func response(_ name: String, _ bytes: [UInt8]) -> Response {
        let headers = [
            // Kept, and asked for again each time: so a new binary's page is seen at once.
            Response.Header("Cache-Control", "no-cache"),
            Response.Header("Content-Security-Policy", policy),
            Response.Header("Referrer-Policy", "no-referrer"),
            Response.Header("Cross-Origin-Resource-Policy", "same-origin"),
        ]
        return Response(status: 200, contentType: contentType(name), body: bytes, headers: headers)
    }

    private static func contentType(_ name: String) -> String {
        let types = ["css": "text/css", "html": "text/html", "js": "text/javascript", "svg": "image/svg+xml"]
        let type = name.split(separator: ".").last.flatMap { types[String($0)] } ?? "application/octet-stream"
        return "\(type); charset=utf-8"
    }

    /// By the content: FNV-1a with 64 bits, as nobody else makes these files.
    private static func tag(_ bytes: [UInt8]) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return String(hash, radix: 16)
    }
}
