public import Tunnels

/// The kinds of problem that the API answers with (RFC 9457), each with its place in the catalogue that is served
/// at `/problems/{slug}`.
public enum ProblemType: String, Sendable, CaseIterable {
    // The request
    case badRequest = "bad-request"
    case invalidJSON = "invalid-json"
    case invalidYAML = "invalid-yaml"
    case invalidShape = "invalid-shape"
    case invalidValue = "invalid-value"
    case invalidParameter = "invalid-parameter"
    case unauthenticated = "unauthenticated"
    case forbidden = "forbidden"
    case notFound = "not-found"
    case tunnelNotFound = "tunnel-not-found"
    case linkNotFound = "link-not-found"
    case methodNotAllowed = "method-not-allowed"
    case requestTimeout = "request-timeout"
    case lengthRequired = "length-required"
    case preconditionFailed = "precondition-failed"
    case eventsGone = "events-gone"
    case idempotencyKeyReused = "idempotency-key-reused"
    case idempotencyKeyInUse = "idempotency-key-in-use"
    case requestTooLarge = "request-too-large"
    case unsupportedMediaType = "unsupported-media-type"
    case expectationFailed = "expectation-failed"
    case versionNotSupported = "version-not-supported"

    // Other tunnels and links
    case nameTaken = "name-taken"
    case endpointsTaken = "endpoints-taken"
    case addressTaken = "address-taken"
    case routeTaken = "route-taken"
    case notAdoptable = "not-adoptable"
    case unmanageUnsupported = "unmanage-unsupported"
    case tooManyTunnels = "too-many-tunnels"
    case outOfScope = "out-of-scope"

    // Checkpoints
    case checkpointNotFound = "checkpoint-not-found"
    case checkpointPending = "checkpoint-pending"
    case checkpointEnded = "checkpoint-ended"

    // The host
    case underlayMissing = "underlay-missing"
    case routeSwallowsRemote = "route-swallows-remote"
    case kindUnsupported = "kind-unsupported"
    case permissionMissing = "permission-missing"
    case kernelRefused = "kernel-refused"
    case repairSuspended = "repair-suspended"
    case adoptionRefused = "adoption-refused"
    case storageFull = "storage-full"
    case storageFailed = "storage-failed"
    case overloaded = "overloaded"
    case stopping = "stopping"
    case notReady = "not-ready"
    case internalError = "internal-error"

    /// A relative reference (RFC 3986), so that it holds behind any address.
    public var reference: String { "/problems/\(rawValue)" }

    public init(_ code: TunnelProblem.Code) {
        self =
            switch code {
            case .nameTaken: .nameTaken
            case .endpointsTaken: .endpointsTaken
            case .routeTaken: .routeTaken
            case .underlayMissing: .underlayMissing
            case .routeSwallowsRemote: .routeSwallowsRemote
            case .kindUnsupported: .kindUnsupported
            case .permissionMissing: .permissionMissing
            case .kernelRefused: .kernelRefused
            case .repairSuspended: .repairSuspended
            case .adoptionRefused: .adoptionRefused
            }
    }
}
