internal import Yams

/// Why bytes aren't YAML as it is taken here.
struct YAMLError: Error, Hashable {
    /// Both from 1; 0 where the place isn't known.
    var line = 0
    var column = 0
    let detail: String
}

/// Reads YAML into the values that JSON has (YAML 1.2, core schema), so that all else is the same for both. What makes
/// a text mean more than it shows is refused: anchors and aliases, tags, merge keys, several documents.
struct YAMLReader {
    /// It costs some fifty times its size in memory while it is read.
    static let maximumBytes = 4 << 20

    static func read(_ bytes: [UInt8]) throws(YAMLError) -> JSONValue {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw YAMLError(detail: "this isn't valid UTF-8")
        }
        guard bytes.count <= maximumBytes else {
            throw YAMLError(detail: "as YAML give at most \(maximumBytes >> 20) MiB; give JSON, or several sets")
        }
        try refuseAliases(in: bytes)
        try refuseComplexKeys(in: bytes)
        do {
            // The parser keeps a pointer into the text, which a short one hasn't: its bytes are in the value itself.
            let text = text.utf8.count < 32 ? text + String(repeating: "\n", count: 32) : text
            // No rules: what a scalar stands for is decided here.
            let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
            guard let node = try parser.singleRoot() else {
                throw YAMLError(detail: "the text is empty; give the set of tunnels")
            }
            // Nodes refer weakly to their anchors, which the parser holds.
            return try withExtendedLifetime(parser) { try value(of: node, depth: 0) }
        } catch let error as YAMLError {
            throw error
        } catch {
            throw YAMLError(error)
        }
    }

    // MARK: Nodes

    private static func value(of node: Node, depth: Int) throws(YAMLError) -> JSONValue {
        guard depth <= JSONReader.maximumDepth else {
            throw YAMLError(node, "nest at most \(JSONReader.maximumDepth) levels")
        }
        guard node.anchor == nil else { throw YAMLError(node, Self.noAnchors) }
        switch node {
        case .scalar(let scalar):
            if scalar.style == .plain, scalar.tag != .implicit { throw YAMLError(node, Self.noTags) }
            if scalar.style != .plain, scalar.tag != Tag(.str) { throw YAMLError(node, Self.noTags) }
            return scalar.style == .plain ? try plain(scalar.string, node) : .string(scalar.string)
        case .sequence(let sequence):
            if sequence.tag != .implicit { throw YAMLError(node, Self.noTags) }
            var elements: [JSONValue] = []
            elements.reserveCapacity(sequence.count)
            for element in sequence { elements.append(try value(of: element, depth: depth + 1)) }
            return .array(elements)
        case .mapping(let mapping):
            if mapping.tag != .implicit { throw YAMLError(node, Self.noTags) }
            var members: [String: JSONValue] = [:]
            for (key, value) in mapping {
                let name = try Self.name(of: key)
                let former = members.updateValue(try Self.value(of: value, depth: depth + 1), forKey: name)
                guard former == nil else { throw YAMLError(key, Self.twice) }
            }
            return .object(members)
        case .alias: throw YAMLError(node, Self.noAnchors)
        }
    }

    /// A key is a text, also where the same without a colon would be a number.
    private static func name(of key: Node) throws(YAMLError) -> String {
        guard case .scalar(let scalar) = key else {
            throw YAMLError(key, "a key is a plain text; this is a list or a mapping")
        }
        guard key.anchor == nil else { throw YAMLError(key, Self.noAnchors) }
        guard scalar.tag == (scalar.style == .plain ? .implicit : Tag(.str)) || scalar.tag == Tag(.str) else {
            throw YAMLError(key, Self.noTags)
        }
        if scalar.style == .plain, scalar.string == "<<" {
            throw YAMLError(key, "merge keys aren't taken; write the members out in each tunnel")
        }
        return scalar.string
    }

    static let noAnchors = "anchors and aliases aren't taken; write the value out at each place"
    static let noTags = "tags aren't taken; leave it out, and put a text that looks like a number in quotes"
    static let twice = "this key is in the mapping twice; leave one out"
}

extension YAMLError {
    init(_ node: Node, _ detail: String) {
        self.init(line: node.mark?.line ?? 0, column: node.mark?.column ?? 0, detail: detail)
    }

    fileprivate init(_ error: any Error) {
        switch error as? YamlError {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _):
            let around = context.map { "\($0.text) " } ?? ""
            self.init(line: mark.line, column: mark.column, detail: around + problem)
        case .composer(let context, let problem, let mark, _):
            let isSecond = context?.text.contains("single document") ?? false
            let detail = isSecond ? "a second document begins; give one" : problem
            self.init(line: mark.line, column: mark.column, detail: detail)
        case .reader(let problem, _, _, _): self.init(detail: problem)
        case .duplicatedKeysInMapping(let names, let context):
            let name = names.first.map { "\(Field.quoted($0)): " } ?? ""
            self.init(line: context.mark.line, column: context.mark.column, detail: name + YAMLReader.twice)
        default: self.init(detail: "the text can't be read")
        }
    }
}
