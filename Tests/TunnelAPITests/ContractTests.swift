import HTTPServer
import Reconciler
import Testing
import TunnelStore
import Tunnels

@testable import TunnelAPI

/// openapi.yaml against the code. What it says of bodies is tested by `Tests/Contract/run`.
@Suite struct ContractTests {
    private var lines: [Substring] {
        String(decoding: PackageResources.openapi_yaml, as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false)
    }

    /// `GET /v1/tunnels`: paths stand two spaces in, their methods four.
    private var documented: Set<String> {
        var operations: Set<String> = []
        var path: Substring = ""
        let methods = Set(Method.allCases.map { $0.rawValue.lowercased() })
        for line in lines.drop(while: { $0 != "paths:" }).dropFirst().prefix(while: { $0 != "components:" }) {
            if line.hasPrefix("  /") { path = line.dropFirst(2).dropLast() }
            let word = line.dropFirst(4).dropLast()
            if line.hasPrefix("    "), line.hasSuffix(":"), methods.contains(String(word)) {
                operations.insert("\(word.uppercased()) \(path)")
            }
        }
        return operations
    }

    @Test func everyRouteIsDocumentedAndEveryOperationIsRouted() async throws {
        try await withDaemon { daemon in
            let routed = Set(daemon.api.routes.map { "\($0.method.rawValue) \($0.pattern)" })
            #expect(routed.subtracting(documented) == [], "not documented")
            #expect(documented.subtracting(routed) == [], "not routed")
            #expect(routed.count == daemon.api.routes.count)
        }
    }

    @Test func openOperationsAreThose() async throws {
        var open: Set<String> = []
        var path: Substring = ""
        for line in lines {
            if line.hasPrefix("  /") { path = line.dropFirst(2).dropLast() }
            if line == "      security: []" { open.insert(String(path)) }
        }
        let documented = open
        try await withDaemon { daemon in
            #expect(documented == Set(daemon.api.routes.filter(\.isOpen).map(\.pattern)))
        }
    }

    @Test func theCatalogueIsDocumented() {
        let slugs = lines.reversed().prefix { $0.hasPrefix("        - ") || $0.isEmpty }
            .filter { !$0.isEmpty }.map { String($0.dropFirst(10)) }
        #expect(Set(slugs) == Set(ProblemType.allCases.map(\.rawValue)))
    }

    /// The enumerations and bounds that are written twice.
    @Test(arguments: [
        "enum: [\(TunnelStatus.State.allCases.map(\.rawValue).joined(separator: ", "))]",
        "enum: [\(Event.Kind.allCases.map(\.rawValue).joined(separator: ", "))]",
        "enum: [\(TunnelKind.allCases.map(\.rawValue).joined(separator: ", "))]",
        "enum: [\(HostReport.Module.State.allCases.map(\.rawValue).joined(separator: ", "))]",
        "minimum: \(PageRequest.limits.lowerBound), maximum: \(PageRequest.limits.upperBound), "
            + "default: \(PageRequest.defaultLimit)",
        "minimum: \(DefinitionLimits.mtu.lowerBound)\n      maximum: \(DefinitionLimits.mtu.upperBound)",
        "maxItems: \(DefinitionLimits.addresses)", "maxItems: \(DefinitionLimits.routes)",
        "maxProperties: \(DefinitionLimits.labels)", "maxLength: \(DefinitionLimits.labelValueBytes)",
        "[A-Za-z0-9_./-]{1,\(DefinitionLimits.labelKeyBytes)}", "maxLength: \(DefinitionLimits.commentBytes)",
        "maxItems: \(BodyRefusal.maximumViolations)",
        "minimum: \(Confirmation.range.lowerBound)\n          maximum: \(Confirmation.range.upperBound)",
        "minimum: 1, maximum: \(Checkpoints.endedKept + 1), default: 50", "maxItems: \(Checkpoints.endedKept + 1)",
    ])
    func boundsAreTheCodes(text: String) {
        #expect(lines.joined(separator: "\n").contains(text))
    }

    /// The members of a tunnel are documented in the order in which they are written.
    @Test func membersAreDocumentedInTheirOrder() {
        let start = lines.firstIndex(of: "    Tunnel:") ?? 0
        let members = lines[start...].drop { $0 != "      properties:" }.dropFirst()
            .prefix { $0.hasPrefix("        ") }.compactMap { $0.split(separator: ":").first }
        let names = members.map { String($0.drop { $0 == " " }) }
        #expect(names == TunnelBody.fields + ["id", "revision", "created_at", "updated_at", "status"])
    }
}
