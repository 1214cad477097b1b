import Foundation
import GRDB
import Testing
import Tunnels

@testable import TunnelStore

/// A directory that goes with the object.
final class TemporaryDirectory {
    let path = FileManager.default.temporaryDirectory.appending(path: "tunneld-store-\(UUID().uuidString)")
        .path

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    var database: String { path + "/tunneld.db" }
}

let now = Timestamp(milliseconds: 1_700_000_000_123)
let later = Timestamp(milliseconds: 1_700_000_060_456)

func name(_ text: String) throws -> InterfaceName { try InterfaceName(text) }

func address(_ text: String) throws -> InterfaceAddress { try #require(InterfaceAddress(text)) }

func route(_ text: String, metric: UInt32 = 0) throws -> TunnelRoute {
    TunnelRoute(to: try IPv4Prefix(parsing: text), metric: metric)
}

/// The id that ends in that number.
func id(_ number: Int) throws -> TunnelID {
    let digits = String(number, radix: 16)
    let tail = String(repeating: "0", count: 12 - digits.count) + digits
    return try #require(TunnelID("01890a5d-ac96-7000-8000-\(tail)"))
}

/// A tunnel like no other number's, with nothing but what must be given.
func tunnel(_ number: Int, _ edit: (inout TunnelDefinition) throws -> Void = { _ in }) throws -> Tunnel {
    let remote = IPv4Address(bits: 0x0A00_0000 + UInt32(number))
    var definition = TunnelDefinition(name: try name("tun_\(number)"), remote: remote)
    try edit(&definition)
    return Tunnel(id: try id(number), definition: definition, revision: 1, createdAt: now, updatedAt: now)
}

/// A tunnel with every field away from its default.
func fullTunnel(_ number: Int) throws -> Tunnel {
    var tunnel = try tunnel(number) {
        $0.local = IPv4Address(172, 16, 16, 22)
        $0.addresses = try [
            address("192.168.1.1/24"), address("10.9.9.1 peer 10.9.9.2/32"), address("192.168.0.9/30"),
        ]
        $0.routes = try [
            route("10.20.0.0/16", metric: 100), route("0.0.0.0/0", metric: .max), route("10.19.0.1/32"),
        ]
        $0.mtu = 1400
        $0.ttl = .fixed(64)
        $0.tos = .fixed(0xB8)
        $0.pmtudisc = true
        $0.underlay = try name("eth0.100")
        $0.fwmark = .max
        $0.enabled = false
        $0.driftPolicy = .adopt
        $0.labels = ["site": "a", "ä": "ö", "empty": ""]
        $0.comment = "it's \"quoted\"; 日本"
    }
    tunnel.revision = .max
    tunnel.updatedAt = later
    return tunnel
}

extension TunnelStore {
    /// Writes what must be accepted.
    func insert(_ tunnels: Tunnel...) throws {
        try write { (transaction) throws(Refusal) in
            for tunnel in tunnels { try transaction.insert(tunnel) }
        }
    }
}

extension TunnelStore {
    func count(_ table: String) throws -> Int {
        try queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM \(table)") ?? 0 }
    }

    /// Rows that this connection has inserted, changed or deleted.
    func totalChanges() throws -> Int {
        try queue.read { $0.totalChangesCount }
    }

    func execute(_ sql: String) throws {
        try queue.writeWithoutTransaction { try $0.execute(sql: sql) }
    }
}
