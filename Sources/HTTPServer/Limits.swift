/// Bounds on what one client, and all together, can make the server hold.
public struct Limits: Sendable {
    /// Of one request's body, announced or chunked, unless its route says otherwise; 413 beyond it.
    public var bodyBytes = 256 * 1024
    /// Of what all bodies together hold beyond `bodyBytes` each; 503 beyond it.
    public var largeBodiesBytes = 64 * 1024 * 1024
    /// Of the header section without the request line; 431 beyond it.
    public var headerBytes = 16 * 1024
    /// Of the request's target; 414 beyond it.
    public var targetBytes = 8 * 1024
    /// Number of header fields; 431 beyond it.
    public var headerCount = 64
    /// Open connections of one listener; more wait in the kernel's queue.
    public var connections = 2048
    /// Open connections from one address; more are closed at once.
    public var connectionsPerAddress = 256
    /// How long a connection may wait for a request line to be complete, and a stream for its reader.
    public var inactivity = Duration.seconds(30)
    /// From a request's first line to its last byte; 408 and closed beyond it.
    public var requestTime = Duration.seconds(20)
    /// From an answer's first byte to its last, streams apart; closed beyond it.
    public var responseTime = Duration.seconds(60)
    /// Deferred answers outstanding; 503 beyond it.
    public var deferredAnswers = 2048
    /// Open streams; 503 beyond it.
    public var streams = 1000

    public init() {}

    /// libmicrohttpd keeps a request's head, its records of fields and the answer's head in one pool for each
    /// connection, and clears all of it for each request: large enough that our limits come first, and not
    /// more. Up to 32 KiB it comes from malloc.
    var memoryPerConnection: Int { max(32 * 1024, targetBytes + headerBytes + headerCount * 64 + 4096) }

    /// How often connections are looked at. A bound is passed by two periods at most: often enough to keep it to a
    /// quarter.
    var sweepMilliseconds: Int32 {
        let shortest = min(requestTime, responseTime, inactivity).milliseconds
        return Int32(min(1000, max(10, shortest / 8)))
    }
}

extension Duration {
    var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
