internal import HTTPServer
internal import Reconciler
internal import Synchronization
internal import TunnelStore

/// Who asks. A class, so that each request is handed the one of its token.
final class Principal: Sendable {
    /// For the audit: `uid 0` or `token 5`.
    let author: String
    let scope: Token.Scope
    /// nil for a user of the unix socket.
    let token: SHA256Digest?

    init(author: String, scope: Token.Scope, token: SHA256Digest? = nil) {
        self.author = author
        self.scope = scope
        self.token = token
    }
}

/// Decides who may do what: over the unix socket by the peer's credentials, over TCP by bearer token.
final class Authorization: Sendable {
    private struct Tokens {
        var principals: [SHA256Digest: Principal] = [:]
        var readAt: Duration?
        /// Of the database, before it was read.
        var version: Int64?
    }

    /// For how long a user's membership of the group is remembered: reading it blocks.
    private static let membershipLasts = Duration.seconds(10)
    private static let membershipsKept = 1024
    /// Between two readings of the tokens because of an unknown one, while no other process has written: strangers
    /// mustn't keep the database busy.
    private static let unknownTokenPause = Duration.milliseconds(100)

    private let readTokens: @Sendable () throws(StoreError) -> [Token]
    private let version: @Sendable () throws(StoreError) -> Int64
    private let isMember: @Sendable (UInt32) -> Bool
    private let timing: Timing
    private let tokens = Mutex(Tokens())
    private let memberships = Mutex<[UInt32: (isMember: Bool, learnedAt: Duration)]>([:])

    init(
        tokens: @escaping @Sendable () throws(StoreError) -> [Token],
        version: @escaping @Sendable () throws(StoreError) -> Int64,
        isMember: @escaping @Sendable (UInt32) -> Bool, timing: Timing
    ) {
        readTokens = tokens
        self.version = version
        self.isMember = isMember
        self.timing = timing
    }

    /// - Throws: a `Problem` with 401 or 403.
    func principal(of request: Request, needing scope: Token.Scope) throws -> Principal {
        let principal =
            switch request.peer {
            case .unix(let uid, _, _): try self.principal(uid: uid)
            case .tcp: try self.principal(bearing: request.headers.bearerToken)
            }
        guard principal.scope >= scope else { throw Self.insufficient(scope) }
        return principal
    }

    /// Reads the tokens again; to be called when the database was changed by another process.
    func refreshTokens() throws(StoreError) {
        let version = try version()
        var principals: [SHA256Digest: Principal] = [:]
        for token in try readTokens() where token.revokedAt == nil {
            guard let digest = SHA256Digest(bytes: token.digest) else { continue }
            principals[digest] = Principal(author: "token \(token.id)", scope: token.scope, token: digest)
        }
        let now = timing.uptime()
        tokens.withLock { $0 = Tokens(principals: principals, readAt: now, version: version) }
    }

    /// Whether a token that was good when its request came is so still, as far as the tokens were read.
    func stillHolds(_ principal: Principal) -> Bool {
        guard let digest = principal.token else { return true }
        return tokens.withLock { $0.principals[digest] != nil }
    }

    // MARK: Unix

    private func principal(uid: UInt32) throws(Problem) -> Principal {
        guard uid == 0 || isKnownMember(uid) else {
            throw Problem(
                .forbidden,
                "The user with uid \(uid) isn't in the group tunneld; add it with `usermod -aG tunneld`.")
        }
        return Principal(author: "uid \(uid)", scope: .admin)
    }

    private func isKnownMember(_ uid: UInt32) -> Bool {
        let now = timing.uptime()
        let known = memberships.withLock { $0[uid] }
        if let known, now - known.learnedAt < Self.membershipLasts { return known.isMember }
        let isMember = isMember(uid)
        memberships.withLock { memberships in
            if memberships.count >= Self.membershipsKept { memberships.removeAll() }
            memberships[uid] = (isMember, now)
        }
        return isMember
    }

    // MARK: Tokens

    private func principal(bearing token: BearerToken) throws -> Principal {
        switch token {
        case .absent:
            throw Self.unauthenticated("Send a token: Authorization: Bearer <token>.", error: nil)
        case .malformed:
            throw Self.unauthenticated(
                "Authorization must be one `Bearer <token>`.", error: "invalid_request")
        case .digest(let digest):
            if let principal = try known(digest) { return principal }
            throw Self.unauthenticated("The token is unknown or revoked.", error: "invalid_token")
        }
    }

    /// An unknown token may be a new one, so the database is asked, but not for each.
    private func known(_ digest: SHA256Digest) throws(StoreError) -> Principal? {
        if let principal = tokens.withLock({ $0.principals[digest] }) { return principal }
        let (now, version) = (timing.uptime(), try version())
        let isDue = tokens.withLock { tokens in
            let isDue = version != tokens.version || tokens.readAt.map { now - $0 >= Self.unknownTokenPause } ?? true
            // Marked before it is read, so that one of many at the same time reads.
            if isDue { (tokens.readAt, tokens.version) = (now, version) }
            return isDue
        }
        if isDue { try refreshTokens() }
        return tokens.withLock { $0.principals[digest] }
    }

    private static func unauthenticated(_ detail: String, error: String?) -> Problem {
        var problem = Problem(.unauthenticated, detail)
        let reason = error.map { ", error=\"\($0)\"" } ?? ""
        problem.headers = [.init("WWW-Authenticate", "Bearer realm=\"tunneld\"\(reason)")]
        return problem
    }

    private static func insufficient(_ scope: Token.Scope) -> Problem {
        var problem = Problem(.forbidden, "This needs a token with scope \(scope.rawValue).")
        let challenge = "Bearer realm=\"tunneld\", error=\"insufficient_scope\", scope=\"\(scope.rawValue)\""
        problem.headers = [.init("WWW-Authenticate", challenge)]
        return problem
    }
}
