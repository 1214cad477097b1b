internal import HTTPServer
internal import Reconciler

extension Request {
    func entityTags(_ header: String) throws(Problem) -> EntityTags? {
        let values = headers.values(header)
        guard !values.isEmpty else { return nil }
        guard let tags = EntityTags(values) else {
            throw Problem(.invalidParameter, "\(header) takes * or a list of tags in quotes, as \"3\".")
        }
        return tags
    }

    /// What the headers, and the body's `revision`, ask to hold before a write.
    func precondition(revision: Int64? = nil) throws(Problem) -> Write.Precondition? {
        let present = try presence(revision: revision)
        guard let tags = try entityTags("If-None-Match") else { return present }
        guard tags == .any else {
            throw Problem(.invalidParameter, "If-None-Match takes only * here: create, and don't replace.")
        }
        // That it exists and doesn't can't both hold.
        return present == nil ? .absent : .revision([])
    }

    private func presence(revision: Int64?) throws(Problem) -> Write.Precondition? {
        switch (try entityTags("If-Match"), revision) {
        case (nil, nil): nil
        case (nil, let revision?), (.any?, let revision?): .revision([revision])
        case (.any?, nil): .exists
        case (let tags?, nil): .revision(tags.strongRevisions)
        case (let tags?, let revision?): .revision(tags.strongRevisions.filter { $0 == revision })
        }
    }

    /// `Prefer: respond-async` (RFC 7240, section 4.1).
    var prefersAsynchronousAnswer: Bool {
        headers.values("Prefer").contains { value in
            value.split(separator: ",").contains { preference in
                let name = preference.prefix { $0 != ";" && $0 != "=" }
                return name.trimmed.lowercased() == "respond-async"
            }
        }
    }

    /// `Prefer: return=…` (RFC 7240, section 4.2); nil where none, or none that is known.
    var preferredReturn: Preference? {
        for value in headers.values("Prefer") {
            for preference in value.split(separator: ",") {
                let parts = preference.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1)
                guard parts.count == 2, parts[0].trimmed.lowercased() == "return" else { continue }
                let wanted = parts[1].trimmed.filter { $0 != "\"" }.lowercased()
                // The first counts.
                return Preference(rawValue: wanted)
            }
        }
        return nil
    }

    enum Preference: String {
        case representation, minimal
    }
}

extension Substring {
    /// Without spaces and tabs around it.
    var trimmed: Substring {
        var text = self
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}
