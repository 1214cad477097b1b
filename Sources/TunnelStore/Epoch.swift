internal import GRDB
public import Tunnels

extension TunnelStore {
    /// The epochs of the tunnels whose link was made anew; all others are in their first, 1.
    public func epochs() throws(StoreError) -> [TunnelID: Int64] {
        try read { database in
            var epochs: [TunnelID: Int64] = [:]
            let rows = try Row.fetchCursor(database, sql: "SELECT tunnel_id, epoch FROM tunnel_epoch")
            while let row = try rows.next() { epochs[try row.tunnelID(at: 0)] = try row.decode(atIndex: 1) }
            return epochs
        }
    }
}

extension Transaction {
    /// Remembers that the tunnel's link was made anew, so that its counters began again.
    ///
    /// - Parameter epoch: 2 or more.
    public mutating func setEpoch(_ epoch: Int64, of tunnel: TunnelID) throws(StoreError) {
        try record { database in
            let upsert = """
                INSERT INTO tunnel_epoch (tunnel_id, epoch) VALUES (?, ?)
                ON CONFLICT DO UPDATE SET epoch = excluded.epoch
                """
            try database.cachedStatement(sql: upsert).execute(arguments: [tunnel.text, epoch])
        }
    }
}
