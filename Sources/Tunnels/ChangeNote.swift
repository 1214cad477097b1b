/// A change on a link, as the kernel told of it when it happened.
public struct ChangeNote: Hashable, Sendable {
    public enum Subject: Hashable, Sendable {
        /// The link itself.
        case link
        case address
        /// With our protocol number.
        case route
        /// A qdisc or a filter.
        case filter
    }

    public let ifindex: Int32
    public let subject: Subject
    public let isRemoval: Bool
    /// Who asked for it; nil where the kernel doesn't tell.
    public let author: ChangeAuthor?

    public init(ifindex: Int32, subject: Subject, isRemoval: Bool, author: ChangeAuthor? = nil) {
        self.ifindex = ifindex
        self.subject = subject
        self.isRemoval = isRemoval
        self.author = author
    }
}

/// A process of this host.
public struct ChangeAuthor: Hashable, Sendable {
    /// 1 or more.
    public let pid: Int32
    /// As `/proc/<pid>/comm` has it; nil where it was gone before it could be asked for.
    public let program: String?

    public init(pid: Int32, program: String?) {
        self.pid = pid
        self.program = program
    }
}

extension ChangeAuthor: CustomStringConvertible {
    /// `ip (pid 42)`.
    public var description: String { program.map { "\($0) (pid \(pid))" } ?? "pid \(pid)" }
}

/// What is known of who changed what between two looks.
public struct ChangeNotes: Sendable {
    private struct Place: Hashable {
        let ifindex: Int32
        let subject: ChangeNote.Subject
        let isRemoval: Bool
    }

    private var authors: [Place: ChangeAuthor?] = [:]

    /// - Parameter notes: in their order; of two about the same the later one counts.
    public init(_ notes: [ChangeNote] = []) {
        for note in notes {
            let place = Place(ifindex: note.ifindex, subject: note.subject, isRemoval: note.isRemoval)
            authors[place] = .some(note.author ?? authors[place] ?? nil)
        }
    }

    /// Who made a difference on a link; nil where that isn't known.
    public func author(of difference: Difference, on ifindex: Int32?) -> ChangeAuthor? {
        guard let ifindex else { return nil }
        let (subject, isRemoval) = difference.trace
        // An address is changed by a removal and an addition, so the other kind tells something too.
        return author(ifindex, subject, isRemoval) ?? author(ifindex, subject, !isRemoval)
    }

    private func author(_ ifindex: Int32, _ subject: ChangeNote.Subject, _ isRemoval: Bool) -> ChangeAuthor? {
        authors[Place(ifindex: ifindex, subject: subject, isRemoval: isRemoval)] ?? nil
    }

    /// Whether somebody asked for the removal of a route. Those that a link loses when it goes down, the kernel doesn't
    /// tell of.
    public func tellOfRemovedRoutes(on ifindex: Int32) -> Bool {
        authors[Place(ifindex: ifindex, subject: .route, isRemoval: true)] != nil
    }
}

extension Difference {
    /// What the kernel tells of when it comes about.
    fileprivate var trace: (subject: ChangeNote.Subject, isRemoval: Bool) {
        switch self {
        case .linkMissing: (.link, true)
        case .mark, .name, .parameter, .mtu, .up: (.link, false)
        case .programs: (.filter, true)
        case .addressMissing: (.address, true)
        case .addressExtra: (.address, false)
        case .routeMissing: (.route, true)
        case .routeExtra: (.route, false)
        }
    }
}
