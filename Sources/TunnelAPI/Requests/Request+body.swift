internal import HTTPServer

extension Request {
    static let json = ["application/json"]
    static let mergePatch = ["application/merge-patch+json", "application/json"]

    /// As files with the ending .yaml are sent, now (RFC 9512) and formerly.
    static let yaml = ["application/yaml", "application/x-yaml", "text/yaml"]

    private var contentType: String? {
        headers["Content-Type"].map { $0.prefix { $0 != ";" }.trimmed.lowercased() }
    }

    /// The body as a value, whether it is JSON or YAML.
    ///
    /// - Throws: `HTTPError.unsupportedMediaType` or `BodyRefusal`.
    func jsonOrYAMLBody() throws -> JSONValue {
        guard let contentType, Self.yaml.contains(contentType) else {
            return try jsonBody(types: Self.json, orElse: Self.yaml)
        }
        do throws(YAMLError) {
            return try YAMLReader.read(body)
        } catch {
            throw BodyRefusal.notYAML(error)
        }
    }

    /// The body as JSON.
    ///
    /// - Parameter others: types that are taken elsewhere, for the refusal.
    /// - Throws: `HTTPError.unsupportedMediaType` or `BodyRefusal`.
    func jsonBody(types: [String], orElse others: [String] = []) throws -> JSONValue {
        guard let contentType, types.contains(contentType) else {
            throw HTTPError.unsupportedMediaType(accepts: types + others)
        }
        do throws(JSONError) {
            return try JSONReader.read(body)
        } catch {
            throw BodyRefusal.notJSON(error)
        }
    }
}
