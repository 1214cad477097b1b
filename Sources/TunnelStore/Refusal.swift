public import Tunnels

/// Why one change of a transaction was refused. The transaction is as it was before that change and takes
/// others, except after ``storage(_:)``.
public enum Refusal: Error, Hashable, Sendable {
    /// The tunnel that stands in the way.
    public struct Holder: Hashable, Sendable {
        public let id: TunnelID
        public let name: InterfaceName
    }

    case nameTaken(by: Holder)
    /// Kind, local, remote and underlay are those of another tunnel.
    case endpointsTaken(by: Holder)
    /// Another tunnel has the same address with the same far end.
    case addressTaken(InterfaceAddress, by: Holder)
    /// A check of the schema, in SQLite's words. Definitions without violations don't meet one.
    case constraint(String)
    case notFound
    /// The database failed. Nothing more can be written in this transaction, and it won't commit.
    case storage(StoreError)
}

/// Why a transaction was rolled back.
public enum WriteError<Failure: Error>: Error {
    /// The body threw.
    case body(Failure)
    /// The database failed, at the latest while committing.
    case store(StoreError)
}

extension WriteError: Sendable where Failure: Sendable {}
extension WriteError: Equatable where Failure: Equatable {}
