internal import HTTPServer

extension Request {
    static let json = ["application/json"]
    static let mergePatch = ["application/merge-patch+json", "application/json"]

    /// The body as JSON.
    ///
    /// - Throws: `HTTPError.unsupportedMediaType` or `BodyRefusal`.
    func jsonBody(types: [String]) throws -> JSONValue {
        let type = headers["Content-Type"].map { $0.prefix { $0 != ";" }.trimmed.lowercased() }
        guard let type, types.contains(type) else { throw HTTPError.unsupportedMediaType(accepts: types) }
        do throws(JSONError) {
            return try JSONReader.read(body)
        } catch {
            throw BodyRefusal.notJSON(error)
        }
    }
}
