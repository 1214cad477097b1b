internal import FoundationEssentials
internal import GRDB
internal import Synchronization
internal import Tunnels

/// The SQLite file that holds blocks. A row's key is its block and the tunnel's number, in this order: so what a flush
/// writes lies side by side, at the end of its table, and what has become too old is cut off at the begin.
///
/// Nothing in it is precious: what can't be read is made anew, and no write is waited for.
final class HistoryFile: Sendable {
    struct State {
        /// By resolution, ascending.
        var blocks: [[Int64]] = Resolution.allCases.map { _ in [] }
        /// By resolution: what was before that time was dropped; seconds since 1970.
        var since: [Int64] = Resolution.allCases.map { _ in .min }
        var retention: Retention
        var bytes = 0
    }

    let path: String
    let budget: Int
    let writer: DatabaseQueue
    /// Of its own, so that a reader doesn't wait for a write.
    let reader: DatabaseQueue
    let state: Mutex<State>

    /// Opens the file, or makes it.
    ///
    /// - Throws: `Unusable` for one that isn't as it should be; GRDB's `DatabaseError`.
    init(path: String, budget: Int) throws {
        (self.path, self.budget) = (path, budget)
        state = Mutex(State(retention: Retention(tunnels: 0, budget: budget)))
        try Self.create(path)
        writer = try DatabaseQueue(path: path, configuration: Self.configuration(pages: Self.pages(budget)))
        try Self.prepare(writer)
        var configuration = Configuration()
        configuration.label = "tunneld.history.reader"
        configuration.readonly = true
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA cache_size = -1024") }
        reader = try DatabaseQueue(path: path, configuration: configuration)
        try writer.read { try note($0) }
    }

    /// Reads again what blocks there are.
    func note(_ database: Database) throws {
        let tunnels = try Int.fetchOne(database, sql: "SELECT count(*) FROM tunnel") ?? 0
        let pages = try Int.fetchOne(database, sql: "PRAGMA page_count") ?? 0
        let pageBytes = try Int.fetchOne(database, sql: "PRAGMA page_size") ?? 0
        var found = State(retention: Retention(tunnels: tunnels, budget: budget), bytes: pages * pageBytes)
        for resolution in Resolution.stored {
            found.blocks[resolution.rawValue] = try Self.blocks(of: resolution, database)
            let since = try Int64.fetchOne(
                database, sql: "SELECT since FROM dropped WHERE resolution = ?", arguments: [resolution.rawValue])
            found.since[resolution.rawValue] = since ?? .min
        }
        state.withLock { [found] in $0 = found }
    }

    /// From one block to the next: a look-up for each.
    private static func blocks(of resolution: Resolution, _ database: Database) throws -> [Int64] {
        let sql = "SELECT key FROM \(resolution.table) WHERE key >= ? ORDER BY key LIMIT 1"
        let statement = try database.cachedStatement(sql: sql)
        var blocks: [Int64] = []
        var next = Int64.min
        while let key = try Int64.fetchOne(statement, arguments: [next]) {
            blocks.append(key >> 32)
            next = HistoryKey.first(in: (key >> 32) + 1)
        }
        return blocks
    }

    /// The time for which the file answers in a resolution, in seconds since 1970: also where nothing was written, but not
    /// before what was dropped. Of that coarser places tell.
    func span(_ resolution: Resolution, now: Int64) -> Range<Int64> {
        let (last, since, retention) = state.withLock { state in
            (state.blocks[resolution.rawValue].last, state.since[resolution.rawValue], state.retention)
        }
        let begin = resolution.coarser == nil ? .min : max(now - retention.seconds(resolution), since)
        let end = last.map { min(($0 + 1) * resolution.blockSeconds, now) } ?? begin
        return begin..<max(begin, end)
    }

    /// Reads the rates of a tunnel.
    ///
    /// - Parameters:
    ///   - time: seconds since 1970.
    ///   - body: gets each place of which there is something.
    func read(
        _ tunnel: TunnelID, _ resolution: Resolution, in time: Range<Int64>,
        _ body: (_ time: Range<Int64>, _ rates: RateVector) -> Void
    ) throws {
        let length = resolution.blockSeconds
        let blocks = state.withLock { $0.blocks[resolution.rawValue] }
            .filter { $0 * length < time.upperBound && ($0 + 1) * length > time.lowerBound }
        guard !blocks.isEmpty else { return }
        try reader.read { database in
            let select = try database.cachedStatement(sql: "SELECT number FROM tunnel WHERE id = ?")
            guard let number = try Int64.fetchOne(select, arguments: [tunnel.text]) else { return }
            let sql = "SELECT points FROM \(resolution.table) WHERE key = ?"
            let statement = try database.cachedStatement(sql: sql)
            for block in blocks {
                let key = HistoryKey.key(block, number)
                guard let data = try Data.fetchOne(statement, arguments: [key]) else { continue }
                let frame = try Self.places(data, resolution)
                for place in 0..<resolution.blockPlaces {
                    let begin = block * length + Int64(place) * resolution.seconds
                    let span = begin..<begin + resolution.seconds
                    let rates = frame[place]
                    if !rates.isEmpty, span.overlaps(time) { body(span.clamped(to: time), rates) }
                }
            }
        }
    }

    /// Reads all tunnels' rates of a block.
    ///
    /// - Parameter body: gets each tunnel's codes, `Lane.count` for each place.
    func load(_ block: Int64, _ resolution: Resolution, _ body: (TunnelID, [UInt16]) -> Void) throws {
        try reader.read { database in
            let sql = """
                SELECT tunnel.id, block.points FROM \(resolution.table) AS block
                JOIN tunnel ON tunnel.number = block.key & 0xFFFFFFFF
                WHERE block.key >= ? AND block.key < ?
                """
            let range: StatementArguments = [HistoryKey.first(in: block), HistoryKey.first(in: block + 1)]
            let rows = try Row.fetchCursor(database, sql: sql, arguments: range)
            while let row = try rows.next() {
                let data: Data = try row.decode(atIndex: 1)
                guard let id = TunnelID(try row.decode(String.self, atIndex: 0)) else {
                    throw Unusable.damaged("an id")
                }
                body(id, try Self.places(data, resolution).codes)
            }
        }
    }

    /// A row's places, as if they were slots of a frame.
    private static func places(_ data: Data, _ resolution: Resolution) throws -> Frame {
        guard let codes = Block.decode(Array(data), places: resolution.blockPlaces) else {
            throw Unusable.damaged("a row of \(resolution.table) isn't what was written")
        }
        return Frame(place: 0, codes: codes)
    }
}

/// The keys of rows: the block above, and below it the tunnel's number in 32 bits.
enum HistoryKey {
    static func key(_ block: Int64, _ number: Int64) -> Int64 { block << 32 | number }

    static func first(in block: Int64) -> Int64 { block << 32 }
}

extension Resolution {
    var table: String {
        switch self {
        case .second: "second"
        case .tenSeconds: "ten_seconds"
        case .minute: "minute"
        case .hour: "hour"
        }
    }
}
