internal import Dispatch
internal import Glibc

/// The signals that stop the daemon, one after another.
struct Signals {
    let received: AsyncStream<Int32>
    private let sources: [any DispatchSourceSignal]

    /// From now on these signals do no more than this.
    init(_ signals: [Int32]) {
        let (stream, continuation) = AsyncStream.makeStream(of: Int32.self)
        received = stream
        sources = signals.map { number in
            // The default disposition ends the process before a dispatch source sees the signal.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler { continuation.yield(number) }
            source.resume()
            return source
        }
    }

    static let stop = [SIGTERM, SIGINT]

    /// A client that goes away while it is answered is no reason to end.
    static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
    }
}
