internal import HTTPServer
internal import Synchronization

/// The server's statistics for the API that the server itself needs: known once both are made.
final class StatisticsSource: Sendable {
    private let server = Mutex<Server?>(nil)

    var current: ServerStatistics? {
        server.withLock { $0?.statistics }
    }

    func set(_ server: Server) {
        self.server.withLock { $0 = server }
    }
}
