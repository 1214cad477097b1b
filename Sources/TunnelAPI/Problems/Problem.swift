public import HTTPServer
public import Tunnels

/// An error as a client gets it (RFC 9457).
public struct Problem: Error, Sendable {
    public var type: ProblemType
    public var status: Int
    /// What happened and what to do.
    public var detail: String
    /// Where in the body, and what to do about each.
    public var errors: [Violation] = []
    /// The tunnels of a set that were refused, told among `errors`.
    var refusedItems: [RefusedItem] = []
    /// The tunnel that stands in the way.
    public var tunnel: String?
    /// Of the tunnel that a precondition was about.
    public var currentRevision: Int64?
    /// The oldest event that is kept.
    public var oldestEvent: Int64?
    /// Why a link can't be adopted, each with what to do.
    public var obstacles: [Adoption.Note] = []
    /// The one that is pending, and until when.
    public var checkpoint: (id: CheckpointID, deadline: Timestamp)?
    public var errno: String?
    public var kernelMessage: String?
    public var headers: [Response.Header] = []

    public init(_ type: ProblemType, _ detail: String, status: Int? = nil) {
        self.type = type
        self.detail = detail
        self.status = status ?? type.status
    }
}

extension Response {
    public init(_ problem: Problem) {
        var writer = JSONWriter(capacity: 512)
        writer.object { $0.members(of: problem) }
        self.init(
            status: problem.status, contentType: "application/problem+json", body: writer.bytes,
            headers: problem.headers)
    }
}

/// A tunnel of a set that was refused, and why.
struct RefusedItem: Sendable {
    var violation: Violation
    var type: ProblemType
    var tunnel: String
    var errno: String?
    var kernelMessage: String?
}

extension JSONWriter {
    private mutating func members(of violation: Violation) {
        member("pointer", violation.pointer)
        member("detail", violation.detail)
    }

    private mutating func members(of item: RefusedItem) {
        members(of: item.violation)
        member("type", item.type.reference)
        member("tunnel", item.tunnel)
        if let errno = item.errno { member("errno", errno) }
        if let message = item.kernelMessage { member("kernel_message", message) }
    }

    fileprivate mutating func members(of problem: Problem) {
        member("type", problem.type.reference)
        member("title", problem.type.title)
        member("status", problem.status)
        member("detail", problem.detail)
        if !problem.errors.isEmpty || !problem.refusedItems.isEmpty {
            key("errors")
            array { writer in
                for violation in problem.errors { writer.object { $0.members(of: violation) } }
                for item in problem.refusedItems { writer.object { $0.members(of: item) } }
            }
        }
        if let tunnel = problem.tunnel { member("tunnel", tunnel) }
        if let revision = problem.currentRevision { member("current_revision", revision) }
        if let id = problem.oldestEvent { member("oldest_event", id) }
        if !problem.obstacles.isEmpty { notes("obstacles", problem.obstacles) }
        if let checkpoint = problem.checkpoint {
            member("checkpoint", checkpoint.id.text)
            member("deadline", checkpoint.deadline.description)
        }
        if let errno = problem.errno { member("errno", errno) }
        if let message = problem.kernelMessage { member("kernel_message", message) }
    }
}
