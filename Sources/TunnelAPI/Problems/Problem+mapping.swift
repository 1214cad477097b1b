internal import HTTPServer
internal import Reconciler
internal import TunnelStore
internal import Tunnels

/// The one place where errors get their status.
extension Problem {
    /// - Returns: nil for an error that nobody foresaw.
    init?(_ error: any Error) {
        switch error {
        case let problem as Problem: self = problem
        case let refusal as BodyRefusal: self.init(refusal)
        case let refusal as WriteRefusal: self.init(refusal)
        case let refusal as CheckpointRefusal: self.init(refusal)
        case let problem as TunnelProblem: self.init(problem)
        case let error as StoreError: self.init(error)
        case let error as HTTPError: self.init(error)
        default: return nil
        }
    }

    init(_ refusal: BodyRefusal) {
        switch refusal {
        case .notJSON(let error):
            self.init(.invalidJSON, "At byte \(error.offset): \(error.detail).")
        case .notYAML(let error):
            let place = error.line > 0 ? "At line \(error.line), column \(error.column)" : "The body"
            self.init(.invalidYAML, "\(place): \(error.detail).")
        case .shape(let violations):
            self.init(.invalidShape, Self.summary(of: violations))
            errors = violations
        case .invalid(let violations):
            self.init(.invalidValue, Self.summary(of: violations))
            errors = violations
        }
    }

    init(_ refusal: WriteRefusal) {
        switch refusal {
        case .invalid(let violations): self.init(BodyRefusal.invalid(violations))
        case .notFound:
            self.init(.tunnelNotFound, "There is no such tunnel; GET /v1/tunnels lists those there are.")
        case .preconditionFailed(let current):
            let found = current.map { "The tunnel is at revision \($0) now." } ?? "There is no such tunnel."
            self.init(
                .preconditionFailed, "\(found) Nothing was changed; read it again and repeat the change.")
            currentRevision = current
        case .linkNotFound(let name):
            let detail = "There is no link \(Field.quoted(name)) of kind ipip; GET /v1/links?managed=false lists links."
            self.init(.linkNotFound, detail)
        case .notAdoptable(let name, let notes):
            let first = notes.first.map { " \($0.field): \($0.detail)" } ?? ""
            let rest = notes.count > 1 ? " (and \(notes.count - 1) more in obstacles)" : ""
            self.init(.notAdoptable, "The link \(Field.quoted(name)) can't be a tunnel as it is.\(first)\(rest)")
            obstacles = notes
        case .unmanageUnsupported(let name):
            let detail =
                "Packets of \(name) are carried by this daemon's eBPF programs, so its link can't do without it; delete "
                + "the tunnel, or leave it."
            self.init(.unmanageUnsupported, detail)
        case .taken(let what, let name, let id, let pointer):
            self.init(what, by: name, id: id, pointer: pointer)
        case .checkpointPending(let checkpoint): self.init(pending: checkpoint)
        case .host(let problem): self.init(problem)
        case .items(let refusals): self.init(refusals)
        case .conflicts(let conflicts): self.init(conflicts)
        case .setChanged(let current):
            self.init(
                .preconditionFailed,
                "The set of tunnels is at revision \(current) now. Nothing was changed; read it again and repeat the "
                    + "change.")
            currentRevision = current
        case .storage(let error): self.init(error)
        case .tooManyTunnels(let limit):
            self.init(.tooManyTunnels, "This host holds at most \(limit) tunnels; delete some first.")
        case .overloaded:
            self.init(.overloaded, "Too many writes wait; try again in a second.")
            headers = [Self.retryAfterASecond]
        case .stopping:
            self.init(.stopping, "tunneld is stopping; try again when it has started again.")
            headers = [Self.retryAfterASecond]
        }
    }

    init(_ refusal: CheckpointRefusal) {
        switch refusal {
        case .notFound:
            self.init(.checkpointNotFound, "There is no such checkpoint; GET /v1/checkpoints lists those there are.")
        case .ended(let checkpoint):
            let how = checkpoint.end.map { end in
                "\(end.outcome.rawValue) at \(end.at) by \(end.actor ?? "the \(end.outcome.ownReason)")"
            }
            self.init(.checkpointEnded, "The checkpoint \(checkpoint.id) was \(how ?? "ended").")
        case .refused(let refusal): self.init(refusal)
        }
    }

    private init(pending checkpoint: Checkpoint) {
        let path = "/v1/checkpoints/\(checkpoint.id)"
        self.init(
            .checkpointPending,
            "A change by \(checkpoint.actor) waits to be confirmed, until \(checkpoint.deadline): "
                + "POST \(path)/confirm keeps it, POST \(path)/revert takes it back.")
        self.checkpoint = (checkpoint.id, checkpoint.deadline)
    }

    private init(_ what: WriteRefusal.Taken, by name: InterfaceName, id: TunnelID, pointer: String) {
        let type: ProblemType
        let found: String
        switch what {
        case .name: (type, found) = (.nameTaken, "has this name; choose another, or change that tunnel.")
        case .endpoints:
            (type, found) = (
                .endpointsTaken,
                "has the same local, remote and underlay; choose others, or change that tunnel."
            )
        case .address:
            (type, found) = (.addressTaken, "has this address; choose another, or take it away there first.")
        }
        self.init(type, "The tunnel \(name) (\(id)) \(found)")
        errors = [Violation(pointer, "\(name) \(found)")]
        tunnel = name.text
    }

    init(_ problem: TunnelProblem) {
        let isTaken = problem.code == .kernelRefused && problem.errno == "EEXIST"
        self.init(ProblemType(problem.code), problem.detail, status: isTaken ? 409 : nil)
        errno = problem.errno
        kernelMessage = problem.kernelMessage
    }

    /// The path and SQLite's words are for the log; a client can't use them.
    init(_ error: StoreError) {
        switch error.code {
        case .full: self.init(.storageFull, error.remedy)
        case .busy:
            self.init(.overloaded, error.remedy)
            headers = [Self.retryAfterASecond]
        default: self.init(.storageFailed, error.remedy)
        }
    }

    init(_ error: HTTPError) {
        self.init(ProblemType(error), error.detail, status: error.status)
        headers = error.headers.map { Response.Header($0.name, $0.value) }
    }

    /// One violation is the whole story; of several the first is an example.
    private static func summary(of violations: [Violation]) -> String {
        guard let first = violations.first else { return "The body can't be taken." }
        let place = first.pointer.isEmpty ? "The body" : first.pointer
        let rest = violations.count == 1 ? "" : " (and \(violations.count - 1) more in errors)"
        return "\(place): \(first.detail)\(rest)"
    }

    private static let retryAfterASecond = Response.Header("Retry-After", "1")
}

extension ProblemType {
    init(_ error: HTTPError) {
        self =
            switch error {
            case .badRequest: .badRequest
            case .notFound: .notFound
            case .methodNotAllowed: .methodNotAllowed
            case .requestTimeout: .requestTimeout
            case .lengthRequired: .lengthRequired
            case .payloadTooLarge, .uriTooLong, .headersTooLarge: .requestTooLarge
            case .unsupportedMediaType: .unsupportedMediaType
            case .expectationFailed: .expectationFailed
            case .internalError: .internalError
            case .overloaded: .overloaded
            case .stopping: .stopping
            case .versionNotSupported: .versionNotSupported
            }
    }
}
