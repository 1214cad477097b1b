internal import ArgumentParser

@main
struct Command: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tunneld", abstract: "IP tunnels on this host: stored, in the kernel, and served over HTTP.",
        version: Version.text, subcommands: [ServeCommand.self, TokenCommand.self, CheckCommand.self])
}

enum Version {
    static let text = "0.1.0"
}

/// An error whose text is all that the user needs.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ error: some CustomStringConvertible) {
        description = "\(error)"
    }
}
