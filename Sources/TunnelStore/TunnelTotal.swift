internal import GRDB
public import Tunnels

/// What went through a tunnel since it was defined, over all its links.
public struct TunnelTotal: Hashable, Sendable {
    /// A link, as told from the tunnel's others.
    public struct Link: Hashable, Sendable {
        public var ifindex: Int32
        public var epoch: Int64
        /// The host's boot and network namespace.
        public var place: String

        public init(ifindex: Int32, epoch: Int64, place: String) {
            self.ifindex = ifindex
            self.epoch = epoch
            self.place = place
        }
    }

    public let tunnel: TunnelID
    public var total: LinkCounters
    /// The one that was counted last; nil for none that can still be there.
    public var link: Link?
    /// What that one had counted by itself.
    public var counted: LinkCounters

    public init(tunnel: TunnelID, total: LinkCounters, link: Link?, counted: LinkCounters) {
        self.tunnel = tunnel
        self.total = total
        self.link = link
        self.counted = counted
    }
}

extension TunnelStore {
    /// Gives the totals of all tunnels that have one, and of such as a revert may bring back, one by one.
    ///
    /// - Parameter body: mustn't use the store.
    public func forEachTotal(_ body: (TunnelTotal) -> Void) throws(StoreError) {
        try read { database in
            let rows = try Row.fetchCursor(database, sql: "SELECT \(TunnelTotal.columns) FROM tunnel_total")
            while let row = try rows.next() { body(try TunnelTotal(row: row)) }
        }
    }

    /// Stores totals in one transaction, in the place of the tunnels' former ones.
    ///
    /// - Parameter gone: tunnels whose totals are forgotten.
    public func store(_ totals: [TunnelTotal], forgetting gone: [TunnelID] = []) throws(StoreError) {
        try transaction { database in
            let places = TunnelTotal.columns.split(separator: ",").map { _ in "?" }.joined(separator: ", ")
            let sql = "INSERT OR REPLACE INTO tunnel_total (\(TunnelTotal.columns)) VALUES (\(places))"
            let insert = try database.cachedStatement(sql: sql)
            for total in totals { try insert.execute(arguments: total.arguments) }
            let delete = try database.cachedStatement(sql: "DELETE FROM tunnel_total WHERE tunnel_id = ?")
            for id in gone { try delete.execute(arguments: [id.text]) }
        }
    }
}

extension TunnelTotal {
    /// In the order of ``arguments`` and ``init(row:)``.
    fileprivate static let columns = """
        tunnel_id, rx_bytes, rx_packets, rx_errors, rx_dropped, tx_bytes, tx_packets, tx_errors, tx_dropped, \
        carrier_errors, ifindex, epoch, place, link_rx_bytes, link_rx_packets, link_rx_errors, link_rx_dropped, \
        link_tx_bytes, link_tx_packets, link_tx_errors, link_tx_dropped, link_carrier_errors
        """

    fileprivate var arguments: StatementArguments {
        StatementArguments([tunnel.text]) + total.arguments
            + StatementArguments([link?.ifindex, link?.epoch, link?.place] as [(any DatabaseValueConvertible)?])
            + counted.arguments
    }

    fileprivate init(row: Row) throws {
        var link: Link?
        if let ifindex = try row.decode(Int32?.self, atIndex: 10) {
            link = Link(ifindex: ifindex, epoch: try row.decode(atIndex: 11), place: try row.decode(atIndex: 12))
        }
        self.init(
            tunnel: try row.tunnelID(at: 0), total: try LinkCounters(row, from: 1), link: link,
            counted: try LinkCounters(row, from: 13))
    }
}

extension LinkCounters {
    /// SQLite's integers have a sign; no counter gets so far that it would need it, and if one did it would come back.
    fileprivate var arguments: StatementArguments {
        StatementArguments((rx.all + tx.all + [carrierErrors]).map { Int64(bitPattern: $0) })
    }

    fileprivate init(_ row: Row, from position: Int) throws {
        self.init()
        rx = try Direction(row, from: position)
        tx = try Direction(row, from: position + 4)
        carrierErrors = try row.counter(at: position + 8)
    }
}

extension LinkCounters.Direction {
    fileprivate var all: [UInt64] { [bytes, packets, errors, dropped] }

    fileprivate init(_ row: Row, from position: Int) throws {
        self.init()
        bytes = try row.counter(at: position)
        packets = try row.counter(at: position + 1)
        errors = try row.counter(at: position + 2)
        dropped = try row.counter(at: position + 3)
    }
}

extension Row {
    fileprivate func counter(at index: Int) throws -> UInt64 {
        UInt64(bitPattern: try decode(Int64.self, atIndex: index))
    }
}
