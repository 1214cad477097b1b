internal import Synchronization

/// What has happened since the server was made, and what is held now.
public struct ServerStatistics: Sendable, Equatable {
    /// Answers by the status's first digit: index 0 is 1xx, index 4 is 5xx.
    public var responsesByClass: [UInt64]
    /// Of bodies, without headers.
    public var sentBytes: UInt64
    public var receivedBytes: UInt64
    public var openConnections: Int
    public var acceptedConnections: UInt64
    public var deferredAnswers: Int
    public var openStreams: Int
}

/// Counts of the whole server; shared by all its threads, so no more of them than are asked for.
final class Counters: Sendable {
    private let informational = Atomic<UInt64>(0)
    private let successful = Atomic<UInt64>(0)
    private let redirected = Atomic<UInt64>(0)
    private let refused = Atomic<UInt64>(0)
    private let failed = Atomic<UInt64>(0)
    private let sent = Atomic<UInt64>(0)
    private let received = Atomic<UInt64>(0)

    func count(status: Int, bytes: Int) {
        switch status / 100 {
        case 1: informational.add(1, ordering: .relaxed)
        case 2: successful.add(1, ordering: .relaxed)
        case 3: redirected.add(1, ordering: .relaxed)
        case 4: refused.add(1, ordering: .relaxed)
        default: failed.add(1, ordering: .relaxed)
        }
        if bytes > 0 { sent.add(UInt64(bytes), ordering: .relaxed) }
    }

    func count(received bytes: Int) { received.add(UInt64(bytes), ordering: .relaxed) }

    var responsesByClass: [UInt64] {
        [
            informational.load(ordering: .relaxed), successful.load(ordering: .relaxed),
            redirected.load(ordering: .relaxed), refused.load(ordering: .relaxed),
            failed.load(ordering: .relaxed),
        ]
    }
    var sentBytes: UInt64 { sent.load(ordering: .relaxed) }
    var receivedBytes: UInt64 { received.load(ordering: .relaxed) }
}
