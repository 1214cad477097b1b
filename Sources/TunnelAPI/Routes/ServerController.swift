internal import HTTPServer

/// What the daemon says of itself.
struct ServerController: Sendable {
    let version: String
    let unreadiness: @Sendable () -> String?

    var routes: [Route] {
        [
            Route(.get, "/livez", isOpen: true, live),
            Route(.get, "/readyz", isOpen: true, ready),
            Route(.get, "/v1/version", showVersion),
            Route(.get, "/openapi.yaml", isOpen: true, contract),
            Route(.get, "/problems/{slug}", isOpen: true, problem),
        ]
    }

    private func live(_ request: Request) throws -> Answer {
        _ = try Query(request)
        return .response(Response(text: "ok\n"))
    }

    private func ready(_ request: Request) throws -> Answer {
        _ = try Query(request)
        if let reason = unreadiness() { throw Problem(.notReady, reason) }
        return .response(Response(text: "ok\n"))
    }

    private func showVersion(_ request: Request) throws -> Answer {
        _ = try Query(request)
        var writer = JSONWriter()
        writer.object {
            $0.member("name", "tunneld")
            $0.member("version", version)
        }
        return .response(Response(json: writer))
    }

    private func contract(_ request: Request) throws -> Answer {
        _ = try Query(request)
        return .response(
            Response(status: 200, contentType: "application/yaml", body: PackageResources.openapi_yaml))
    }

    private func problem(_ request: Request) throws -> Answer {
        _ = try Query(request)
        guard let type = request.parameters["slug"].flatMap(ProblemType.init(rawValue:)) else {
            throw HTTPError.notFound
        }
        return .response(Response(text: type.page))
    }
}

extension Response {
    init(text: String) {
        self.init(status: 200, contentType: "text/plain; charset=utf-8", body: Array(text.utf8))
    }
}

extension ProblemType {
    /// What `/problems/{slug}` shows to people.
    fileprivate var page: String {
        "\(title)\n\ntype:   \(reference)\nstatus: \(status)\n\n\(explanation)\n"
    }
}
