import HTTPServer
import Reconciler
import Testing
import Tunnels

@testable import TunnelAPI

@Suite struct ProblemTests {
    private func text(_ response: Response) -> String {
        guard case .bytes(let bytes) = response.body else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func members() throws {
        var problem = Problem(.kernelRefused, "detail", status: 409)
        problem.errors = [Violation("/a~1b", "c")]
        problem.tunnel = "tun_b"
        problem.currentRevision = 4
        problem.errno = "EEXIST"
        problem.kernelMessage = "words"
        let response = Response(problem)
        #expect(response.status == 409)
        #expect(response.headers == [.init("Content-Type", "application/problem+json")])
        #expect(
            text(response) == """
                {"type":"/problems/kernel-refused","title":"The kernel refused","status":409,"detail":"detail",\
                "errors":[{"pointer":"/a~1b","detail":"c"}],"tunnel":"tun_b","current_revision":4,"errno":"EEXIST",\
                "kernel_message":"words"}
                """)
    }

    @Test func refusals() throws {
        let id = try #require(TunnelID("018f0000-0000-7000-8000-000000000001"))
        let name = try InterfaceName("tun_b")
        let expected: [(WriteRefusal, ProblemType, Int)] = [
            (.invalid([Violation("/mtu", "x")]), .invalidValue, 422),
            (.notFound, .tunnelNotFound, 404),
            (.preconditionFailed(current: 4), .preconditionFailed, 412),
            (.taken(.name, by: name, id: id, pointer: "/name"), .nameTaken, 409),
            (.taken(.endpoints, by: name, id: id, pointer: "/remote"), .endpointsTaken, 409),
            (.taken(.address, by: name, id: id, pointer: "/addresses/0"), .addressTaken, 409),
            (.host(TunnelProblem(.nameTaken, "x")), .nameTaken, 409),
            (.host(TunnelProblem(.kindUnsupported, "x")), .kindUnsupported, 503),
            (.host(TunnelProblem(.permissionMissing, "x")), .permissionMissing, 503),
            (.host(TunnelProblem(.underlayMissing, "x")), .underlayMissing, 422),
            (.host(TunnelProblem(.routeSwallowsRemote, "x")), .routeSwallowsRemote, 422),
            (.host(TunnelProblem(.kernelRefused, "x", errno: "EINVAL")), .kernelRefused, 422),
            (.host(TunnelProblem(.kernelRefused, "x", errno: "EEXIST")), .kernelRefused, 409),
            (.tooManyTunnels(limit: 5), .tooManyTunnels, 409),
            (.overloaded, .overloaded, 503), (.stopping, .stopping, 503),
        ]
        for (refusal, type, status) in expected {
            let problem = try #require(Problem(refusal as any Error))
            #expect(problem.type == type)
            #expect(problem.status == status)
            let isRetried = type == .overloaded || type == .stopping
            #expect(problem.headers.contains { $0.name == "Retry-After" } == isRetried)
        }
    }

    @Test func theCulpritIsNamed() throws {
        let id = try #require(TunnelID("018f0000-0000-7000-8000-000000000001"))
        let problem = Problem(
            WriteRefusal.taken(.name, by: try InterfaceName("tun_b"), id: id, pointer: "/name"))
        #expect(problem.tunnel == "tun_b")
        #expect(problem.detail.contains("tun_b"))
        #expect(problem.errors.map(\.pointer) == ["/name"])
        #expect(Problem(WriteRefusal.preconditionFailed(current: 4)).currentRevision == 4)
    }

    @Test func serverErrorsKeepStatusAndHeaders() {
        for error in [
            HTTPError.badRequest("x"), .notFound, .methodNotAllowed(allow: [.get, .put]), .requestTimeout,
            .lengthRequired, .payloadTooLarge(limitBytes: 5), .uriTooLong(limitBytes: 5), .internalError,
            .unsupportedMediaType(accepts: ["a/b"]), .expectationFailed, .headersTooLarge("x"),
            .overloaded("x"),
            .stopping, .versionNotSupported,
        ] {
            let problem = Problem(error)
            #expect(problem.status == error.status)
            #expect(problem.headers.map(\.value) == error.headers.map(\.value))
        }
    }

    @Test func bodiesThatArentJSONSayWhere() {
        let problem = Problem(BodyRefusal.notJSON(JSONError(offset: 7, detail: "x")))
        #expect(problem.status == 400)
        #expect(problem.detail == "At byte 7: x.")
    }

    @Test func theCatalogueIsWhole() {
        for type in ProblemType.allCases {
            #expect((400..<600).contains(type.status))
            #expect(!type.title.isEmpty && !type.title.hasSuffix("."))
            #expect(type.explanation.hasSuffix("."))
            // What the last resort says is said of nothing else.
            #expect((type.title == ProblemType.internalError.title) == (type == .internalError))
        }
        for code in TunnelProblem.Code.allCases { #expect(ProblemType(code).rawValue == code.rawValue) }
    }
}
