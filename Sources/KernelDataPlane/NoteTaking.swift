internal import Netlink
internal import Tunnels

/// Who changed what, noted while they may still be there to be asked for their names. A storm of changes costs no more
/// than the bounds here.
struct NoteTaking {
    /// Between two looks.
    static let notesKept = 1024
    static let processesAskedFor = 64

    /// Those of our own sockets.
    var ownPorts: Set<UInt32> = []
    private var notes: [ChangeNote] = []
    private var known: Set<ChangeNote> = []
    /// By port.
    private var authors: [UInt32: ChangeAuthor?] = [:]

    mutating func take(_ changes: Changes, by processes: Processes) {
        for event in changes.events {
            guard notes.count < Self.notesKept else { return }
            guard event.sender != 0, !ownPorts.contains(event.sender), let (subject, isRemoval) = event.trace else {
                continue
            }
            let note = ChangeNote(
                ifindex: Int32(truncatingIfNeeded: event.interface), subject: subject, isRemoval: isRemoval,
                author: author(event.sender, processes))
            if known.insert(note).inserted { notes.append(note) }
        }
    }

    mutating func takeNotes() -> [ChangeNote] {
        defer {
            notes = []
            known = []
            authors = [:]
        }
        return notes
    }

    /// A program's first netlink socket has its process id as its port, unless it chose another (`netlink_autobind`).
    private mutating func author(_ port: UInt32, _ processes: Processes) -> ChangeAuthor? {
        if let author = authors[port] { return author }
        guard authors.count < Self.processesAskedFor else { return nil }
        let author = processes.author(port)
        authors[port] = .some(author)
        return author
    }
}

extension Changes.Event {
    /// nil for what isn't on a link of ours.
    fileprivate var trace: (ChangeNote.Subject, isRemoval: Bool)? {
        switch kind {
        case .link: (.link, false)
        case .linkRemoved: (.link, true)
        case .address: (.address, false)
        case .addressRemoved: (.address, true)
        case .route(Mark.routeProtocol): (.route, false)
        case .routeRemoved(Mark.routeProtocol): (.route, true)
        case .qdisc, .filter: (.filter, false)
        case .qdiscRemoved, .filterRemoved: (.filter, true)
        case .route, .routeRemoved, .rule: nil
        }
    }
}
