internal import FoundationEssentials
internal import Tunnels

/// What is kept as JSON in a checkpoint's rows. A later version must read what an earlier one wrote: a field that is
/// new is optional here.
private struct StoredTunnel: Codable {
    struct Route: Codable {
        var to: String
        var metric: UInt32
    }

    var name: String
    var kind: String
    var local: String?
    var remote: String
    var addresses: [String]
    var routes: [Route]
    var mtu: Int?
    /// nil where inherited.
    var ttl: UInt8?
    var tos: UInt8?
    var pmtudisc: Bool
    var underlay: String?
    var fwmark: UInt32?
    var enabled: Bool
    var driftPolicy: String
    var labels: [String: String]
    var comment: String
    var revision: Int64
    var createdAt: Int64
    var updatedAt: Int64
    var epoch: Int64
}

extension FormerTunnel {
    /// - Throws: ``UnreadableRow`` for what no tunnel of ours can be.
    init(id: TunnelID, json: String) throws {
        do {
            let stored = try JSONDecoder().decode(StoredTunnel.self, from: Data(json.utf8))
            self.init(try Tunnel(stored, id: id), epoch: stored.epoch)
        } catch {
            throw UnreadableRow("what is kept of the tunnel \(id): \(error)")
        }
    }

    /// nil where there was no tunnel.
    func json() throws -> String? {
        try tunnel.map { String(decoding: try JSONEncoder().encode(StoredTunnel($0, epoch: epoch)), as: UTF8.self) }
    }
}

extension StoredTunnel {
    init(_ tunnel: Tunnel, epoch: Int64) {
        let definition = tunnel.definition
        name = definition.name.text
        kind = definition.kind.rawValue
        local = definition.local?.description
        remote = definition.remote.description
        addresses = definition.addresses.map(\.description)
        routes = definition.routes.map { Route(to: $0.to.description, metric: $0.metric) }
        mtu = definition.mtu
        ttl = definition.ttl.column
        tos = definition.tos.column
        pmtudisc = definition.pmtudisc
        underlay = definition.underlay?.text
        fwmark = definition.fwmark
        enabled = definition.enabled
        driftPolicy = definition.driftPolicy.rawValue
        labels = definition.labels
        comment = definition.comment
        revision = tunnel.revision
        createdAt = tunnel.createdAt.milliseconds
        updatedAt = tunnel.updatedAt.milliseconds
        self.epoch = epoch
    }
}

extension Tunnel {
    fileprivate init(_ stored: StoredTunnel, id: TunnelID) throws {
        func known<Value>(_ value: Value?, _ text: String) throws -> Value {
            guard let value else { throw UnreadableRow(text) }
            return value
        }
        var definition = TunnelDefinition(
            name: try InterfaceName(stored.name), remote: try known(IPv4Address(stored.remote), stored.remote))
        definition.kind = try known(TunnelKind(rawValue: stored.kind), stored.kind)
        definition.local = try stored.local.map { try known(IPv4Address($0), $0) }
        definition.addresses = try stored.addresses.map { try known(InterfaceAddress($0), $0) }
        definition.routes = try stored.routes.map {
            TunnelRoute(to: try IPv4Prefix(parsing: $0.to), metric: $0.metric)
        }
        definition.mtu = stored.mtu
        definition.ttl = HeaderField(column: stored.ttl)
        definition.tos = HeaderField(column: stored.tos)
        definition.pmtudisc = stored.pmtudisc
        definition.underlay = try stored.underlay.map { try InterfaceName($0) }
        definition.fwmark = stored.fwmark
        definition.enabled = stored.enabled
        definition.driftPolicy = try known(DriftPolicy(rawValue: stored.driftPolicy), stored.driftPolicy)
        definition.labels = stored.labels
        definition.comment = stored.comment
        self.init(
            id: id, definition: definition, revision: stored.revision,
            createdAt: Timestamp(milliseconds: stored.createdAt),
            updatedAt: Timestamp(milliseconds: stored.updatedAt))
    }
}

// MARK: - Failures

private struct StoredFailure: Codable {
    var tunnel: String
    var code: String
    var detail: String
    var errno: String?
    var kernelMessage: String?
}

extension Checkpoint {
    /// nil for none.
    static func encoded(_ failures: [Failure]) throws -> String? {
        guard !failures.isEmpty else { return nil }
        let stored = failures.map {
            StoredFailure(
                tunnel: $0.tunnel.text, code: $0.problem.code.rawValue, detail: $0.problem.detail,
                errno: $0.problem.errno, kernelMessage: $0.problem.kernelMessage)
        }
        return String(decoding: try JSONEncoder().encode(stored), as: UTF8.self)
    }

    static func failures(json: String?) throws -> [Failure] {
        guard let json else { return [] }
        do {
            return try JSONDecoder().decode([StoredFailure].self, from: Data(json.utf8)).map { stored in
                let code = TunnelProblem.Code(rawValue: stored.code) ?? .kernelRefused
                return Failure(
                    tunnel: try InterfaceName(stored.tunnel),
                    problem: TunnelProblem(
                        code, stored.detail, errno: stored.errno, kernelMessage: stored.kernelMessage))
            }
        } catch {
            throw UnreadableRow("what the kernel refused of a checkpoint: \(error)")
        }
    }
}
