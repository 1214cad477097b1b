internal import FoundationEssentials
internal import GRDB
internal import Synchronization
internal import Tunnels

extension HistoryFile {
    /// Writes blocks in one transaction, in place of what is there of them, and drops what is too old.
    ///
    /// - Parameters:
    ///   - isGone: whether a tunnel is no more.
    ///   - now: seconds since 1970.
    func write(_ unwritten: Unwritten, isGone: (TunnelID) -> Bool, now: Int64) throws {
        try prune(now: now)
        try writer.write { database in
            let numbers = try numbers(unwritten, isGone, database)
            for block in unwritten.blocks { try write(block, unwritten, numbers, database) }
        }
        try writer.read { try note($0) }
        try prune(now: now)
    }

    /// The number of each slot that has one, ascending.
    private func numbers(
        _ unwritten: Unwritten, _ isGone: (TunnelID) -> Bool, _ database: Database
    ) throws -> [(number: Int64, slot: Int)] {
        var known: [TunnelID: Int64] = [:]
        let rows = try Row.fetchCursor(database, sql: "SELECT number, id FROM tunnel")
        let markGone = try database.cachedStatement(sql: "UPDATE tunnel SET gone = 1 WHERE number = ?")
        var gone: [Int64] = []
        while let row = try rows.next() {
            let number: Int64 = try row.decode(atIndex: 0)
            guard let id = TunnelID(try row.decode(String.self, atIndex: 1)) else { throw Unusable.damaged("an id") }
            known[id] = number
            if isGone(id) { gone.append(number) }
        }
        for number in gone { try markGone.execute(arguments: [number]) }
        let insert = try database.cachedStatement(sql: "INSERT INTO tunnel (id) VALUES (?)")
        var numbers: [(Int64, Int)] = []
        for (slot, id) in unwritten.ids.enumerated() {
            guard let id, !isGone(id) else { continue }
            if let number = known[id] {
                numbers.append((number, slot))
            } else {
                try insert.execute(arguments: [id.text])
                numbers.append((database.lastInsertedRowID, slot))
            }
        }
        return numbers.sorted { $0.0 < $1.0 }
    }

    /// Ascending, at the end of the table: so its pages get full.
    private func write(
        _ block: Unwritten.Block, _ unwritten: Unwritten, _ numbers: [(number: Int64, slot: Int)],
        _ database: Database
    ) throws {
        try delete(block.number, block.resolution, database)
        let sql = "INSERT INTO \(block.resolution.table) (key, points) VALUES (?, ?)"
        let insert = try database.cachedStatement(sql: sql)
        for (number, slot) in numbers {
            let since = unwritten.since[slot]
            guard let row = Block.encode(block.frames, slot: slot, since: since, block.resolution) else { continue }
            try insert.execute(arguments: [HistoryKey.key(block.number, number), Data(row)])
        }
    }

    private func delete(_ block: Int64, _ resolution: Resolution, _ database: Database) throws {
        let sql = "DELETE FROM \(resolution.table) WHERE key >= ? AND key < ?"
        try database.cachedStatement(sql: sql).execute(
            arguments: [HistoryKey.first(in: block), HistoryKey.first(in: block + 1)])
    }

    /// Drops what is more than is kept: of each resolution the blocks that are farthest from now, so that neither a clock
    /// that was wrong for a while nor a long stop costs what is good.
    ///
    func prune(now: Int64) throws {
        let (blocks, retention) = state.withLock { ($0.blocks, $0.retention) }
        var hasPruned = false
        for resolution in Resolution.stored {
            let present = now.floorDivided(by: resolution.blockSeconds)
            let nearest = blocks[resolution.rawValue].sorted { abs($0 - present) < abs($1 - present) }
            for block in nearest.dropFirst(retention[resolution]) {
                try drop(block, resolution, present: present)
                hasPruned = true
            }
        }
        if hasPruned { try writer.read { try note($0) } }
        try giveBack()
    }

    /// One by itself, so that the log stays small.
    private func drop(_ block: Int64, _ resolution: Resolution, present: Int64) throws {
        try writer.write { database in
            try delete(block, resolution, database)
            guard block < present else { return }
            let sql = """
                INSERT INTO dropped (resolution, since) VALUES (?, ?)
                ON CONFLICT (resolution) DO UPDATE SET since = max(since, excluded.since)
                """
            try database.cachedStatement(sql: sql).execute(
                arguments: [resolution.rawValue, (block + 1) * resolution.blockSeconds])
        }
    }

    /// Drops a quarter of what there is, the oldest, where the disk has less room than the budget.
    func makeRoom() throws {
        let blocks = state.withLock { $0.blocks }
        for resolution in Resolution.stored {
            let found = blocks[resolution.rawValue]
            for block in found.prefix(found.count / 4) { try drop(block, resolution, present: .max) }
        }
        try writer.read { try note($0) }
    }

    /// Gives pages back that the budget doesn't allow: it was larger once.
    private func giveBack() throws {
        let pages = Self.pages(budget)
        try writer.writeWithoutTransaction { database in
            guard try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0 > pages else { return }
            try database.execute(sql: "PRAGMA incremental_vacuum")
            try database.execute(sql: "PRAGMA max_page_count = \(pages)")
        }
    }

    /// Deletes the rows of tunnels that are gone. Looks at every row of the file, where there are any.
    func purge() throws {
        let gone = "SELECT number FROM tunnel WHERE gone = 1"
        guard try writer.read({ try Int64.fetchOne($0, sql: gone + " LIMIT 1") }) != nil else { return }
        let blocks = state.withLock { $0.blocks }
        for resolution in Resolution.stored {
            let sql = "DELETE FROM \(resolution.table) WHERE key >= ? AND key < ? AND key & 0xFFFFFFFF IN (\(gone))"
            for block in blocks[resolution.rawValue] {
                try writer.write { database in
                    try database.cachedStatement(sql: sql).execute(
                        arguments: [HistoryKey.first(in: block), HistoryKey.first(in: block + 1)])
                }
            }
        }
        // Only now, as a number is given again when it is free.
        try writer.write { try $0.execute(sql: "DELETE FROM tunnel WHERE gone = 1") }
        try writer.read { try note($0) }
    }

    /// Moves the log into the file, so that this is everything.
    func checkpoint() throws {
        try writer.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
    }
}
