import Foundation
import Testing
import Tunnels

@testable import TunnelStore

@Suite struct RoundTripTests {
    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    @Test func everyFieldComesBackFromAFileOpenedAnew() throws {
        let tunnels = [try tunnel(1), try fullTunnel(2), try tunnel(3) { $0.pmtudisc = false }]
        do {
            let store = try TunnelStore(path: directory.database)
            try store.insert(tunnels[1], tunnels[0], tunnels[2])
            #expect(try store.tunnels() == tunnels)
        }
        #expect(try TunnelStore(path: directory.database).tunnels() == tunnels)
    }

    @Test func fixedZeroAndHighestValuesAreNotTakenForNone() throws {
        let store = try TunnelStore.inMemory()
        let stored = try tunnel(1) {
            $0.tos = .fixed(0)
            $0.ttl = .fixed(255)
            $0.remote = IPv4Address(223, 255, 255, 255)
        }
        try store.insert(stored)
        #expect(try store.tunnels() == [stored])
    }

    @Test func updateReplacesTheDefinitionAndKeepsTheRest() throws {
        let store = try TunnelStore.inMemory()
        let full = try fullTunnel(1)
        let bare = Tunnel(
            id: full.id, definition: try tunnel(9).definition, revision: 2, createdAt: later, updatedAt: later
        )
        try store.insert(full, try tunnel(2))
        for replacement in [bare, full] {
            try store.write { (transaction) throws(Refusal) in try transaction.update(replacement) }
            let stored = try #require(try store.tunnels().first)
            #expect(stored.definition == replacement.definition)
            #expect(stored.revision == replacement.revision)
            #expect(stored.updatedAt == later)
            #expect(stored.createdAt == now, "the time of creation is never rewritten")
        }
        #expect(try store.tunnels().last == (try tunnel(2)))
    }

    @Test func listsKeepTheirOrderThroughEveryChange() throws {
        let store = try TunnelStore.inMemory()
        var stored = try fullTunnel(1)
        try store.insert(stored)
        let addresses = try ["10.1.1.1/24", "192.168.1.1/24", "10.9.9.1 peer 10.9.9.2/32"].map(address)
        let orders = [
            Array(addresses.reversed()), [addresses[1]], [addresses[2], addresses[1]], [], addresses,
            [addresses[1], addresses[2], addresses[0]],
        ]
        for order in orders {
            stored.definition.addresses = order
            stored.definition.routes = order.map { TunnelRoute(to: $0.onLinkPrefix, metric: 7) }
            stored.definition.labels = Dictionary(
                uniqueKeysWithValues: order.enumerated().map { ("\($1)", "\($0)") })
            try store.write { (transaction) throws(Refusal) in try transaction.update(stored) }
            #expect(try store.tunnels() == [stored])
        }
    }

    @Test func aChangeOfOnePlaceWritesThatPlaceAlone() throws {
        let store = try TunnelStore.inMemory()
        var stored = try tunnel(1)
        stored.definition.routes = try (0..<200).map { try route("10.0.\($0).0/24") }
        try store.insert(stored)
        let before = try store.totalChanges()
        stored.definition.routes[100] = try route("10.7.0.0/16")
        try store.write { (transaction) throws(Refusal) in try transaction.update(stored) }
        #expect(try store.totalChanges() - before == 3, "the tunnel's row, a removal, an insertion")
    }

    @Test func deleteTakesWhatBelongsToTheTunnelAndNothingElse() throws {
        let store = try TunnelStore.inMemory()
        let other = try tunnel(2) {
            $0.addresses = [try address("10.5.5.5/24")]
            $0.labels = ["a": "b"]
        }
        let first = try id(1)
        try store.insert(try fullTunnel(1), other)
        try store.write { (transaction) throws(Refusal) in try transaction.delete(first) }
        #expect(try store.tunnels() == [other])
        #expect(try store.count("tunnel_address") == 1)
        #expect(try store.count("tunnel_route") == 0)
        #expect(try store.count("tunnel_label") == 1)
    }

    @Test func tunnelsComeInTheOrderOfTheirCreation() throws {
        let store = try TunnelStore.inMemory()
        for number in [5, 1, 400, 33] { try store.insert(try tunnel(number)) }
        #expect(try store.tunnels().map(\.id) == [1, 5, 33, 400].map(id))
    }
}
