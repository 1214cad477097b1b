public import ArgumentParser
internal import Foundation
internal import HTTPServer
public import TunnelStore
internal import Tunnels

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Make, list and revoke the tokens that clients over TCP need.",
        subcommands: [Create.self, List.self, Revoke.self])

    struct Location: ParsableArguments {
        @Option(help: "The SQLite file (default: \(Settings.defaultDatabase), or $TUNNELD_DATABASE).")
        var database: String?

        /// A running daemon notices what is done here.
        func open() throws -> TunnelStore {
            let path = database ?? ProcessInfo.processInfo.environment["TUNNELD_DATABASE"] ?? Settings.defaultDatabase
            return try TunnelStore(path: path, as: .visitor)
        }
    }

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token and print it. It is shown this once; only its digest is stored.")

        @Option(help: "read (GET), write (tunnels too) or admin (host and tokens too).")
        var scope: Token.Scope

        @Option(help: "For you, to tell tokens apart.")
        var name = ""

        @OptionGroup var location: Location

        func run() throws {
            let token = BearerToken.random(prefix: "tnl_")
            let digest = SHA256Digest(of: token).bytes
            _ = try location.open().createToken(
                name: name, scope: scope, digest: digest, at: .now, by: "command line")
            print(token)
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the tokens, the revoked ones too.")

        @OptionGroup var location: Location

        func run() throws {
            for token in try location.open().tokens() {
                let state = token.revokedAt.map { "revoked \($0)" } ?? "valid"
                print("\(token.id)\t\(token.scope.rawValue)\t\(token.createdAt)\t\(state)\t\(token.name)")
            }
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make a token invalid, within a second.")

        @Argument(help: "The number that `list` shows first.")
        var id: Int64

        @OptionGroup var location: Location

        func run() throws {
            guard try location.open().revokeToken(id: id, at: .now, by: "command line") else {
                throw Failure("There is no valid token \(id); `tunneld token list` shows them.")
            }
        }
    }
}

extension Token.Scope: ExpressibleByArgument {}

extension Timestamp {
    static var now: Timestamp {
        Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
    }
}
