import Logging
import Testing
import Tunnels

@testable import Echo

/// On this machine's loopback.
@Suite struct LiveEchoTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private let loopback = IPv4Address(127, 0, 0, 1)

    @Test(.timeLimit(.minutes(1))) func anAnswerIsToldOnce() async throws {
        let question = Echo.Question(loopback, through: "lo", from: loopback)
        var echo: Echo?
        // To go on twice from here would end the test.
        await withCheckedContinuation { continuation in
            echo = Echo(question, every: .milliseconds(1), logger: logger) { continuation.resume() }
        }
        withExtendedLifetime(echo) {}
    }

    /// What isn't asked any more doesn't answer: the confirmation would be one too many.
    @Test(.timeLimit(.minutes(1))) func nobodyIsToldAfterTheCancel() async throws {
        let question = Echo.Question(loopback, through: "nolink")
        await confirmation(expectedCount: 0) { confirm in
            let cancelled = Echo(question, every: .milliseconds(1), logger: logger) { confirm() }
            cancelled.cancel()
            var other: Echo?
            await withCheckedContinuation { continuation in
                other = Echo(Echo.Question(loopback, through: "lo"), logger: logger) { continuation.resume() }
            }
            withExtendedLifetime((cancelled, other)) {}
        }
    }

    @Test func whatCannotBeIsSaid() {
        #expect(Echo.obstacle == nil)
        #expect(throws: EchoError.self) { try EchoSocket(link: "nolink", source: nil) }
        #expect(throws: EchoError.self) { try EchoSocket(link: "lo", source: IPv4Address(192, 0, 2, 1)) }
    }
}
