import GRDB
import MartletCore
import MartletStore

/// A lane from whose head a claim takes a chunk.
struct ClaimableLane {
    let id: Int64
    let key: LaneKey

    /// How many entries one look passes over at most when some of them were cancelled.
    private static let reach = 20_000

    private struct Chunk {
        var positions: [Int64] = []
        var jobs: [LeasedJob] = []
        /// Where the chunk begins and ends; between them lie its jobs, and entries that were cancelled.
        var first: Int64 = 0
        var upto: Int64 = 0
    }

    /// - Returns: a lease without jobs when all that was looked at had been cancelled; nil when the lane has nothing more.
    func take(
        _ limit: Int, for worker: WorkerID, now: Timestamp, _ tally: inout LaneTally, _ db: Database
    ) throws -> Lease? {
        let cursor = try Lanes.cursor(id, db)
        guard let chunk = try hasTombstones(db) ? readAround(cursor, limit, now, db) : read(cursor, limit, now, db) else {
            return nil
        }
        // What retention has emptied and only served as the cursor has done so.
        try db.run("delete from martlet_lease where lane = ? and upto = ? and upto < first", .int(id), .int(cursor))
        try db.run(
            """
            insert into martlet_lease (lane, worker, first, upto, count, positions, open, claimed_at, finished_at)
            values (?1, ?2, ?3, ?4, ?5, ?6, ?5, ?7, case when ?5 = 0 then ?7 end)
            """,
            .int(id), .int(worker.rawValue), .int(chunk.first), .int(chunk.upto), .int(chunk.jobs.count),
            LeasePositions(chunk.positions, first: chunk.first).stored, .int(now.microseconds))
        let lease = LeaseID(rawValue: db.lastInsertedRowID)
        try db.run(
            """
            update martlet_lane set since = coalesce(
              (select max(enqueued_at, coalesce(run_at, 0)) from martlet_job where lane = ?1 and position > ?2
               order by position limit 1), since)
            where id = ?1
            """, .int(id), .int(chunk.upto))
        tally.move(chunk.jobs.count, from: .available, to: .running, lane: id)
        return Lease(
            id: lease, kind: key.kind, queue: key.queue, priority: Priority(rawValue: key.priority)!, jobs: chunk.jobs)
    }

    private func read(_ cursor: Int64, _ limit: Int, _ now: Timestamp, _ db: Database) throws -> Chunk? {
        var chunk = Chunk()
        try fill(
            &chunk, limit,
            try db.prepared("\(Self.select) where lane = ? and position > ? order by position limit ?"),
            [.int(id), .int(cursor), .int(limit)], now)
        guard let first = chunk.positions.first, let last = chunk.positions.last else { return nil }
        chunk.first = first
        chunk.upto = last
        return chunk
    }

    // MARK: Around cancelled entries

    private func hasTombstones(_ db: Database) throws -> Bool {
        try db.first("select 1 from martlet_tombstone where lane = ? limit 1", .int(id)) { _ in true } ?? false
    }

    /// Leaves out what was cancelled while it waited. Its tombstones have served when the cursor has passed them.
    private func readAround(_ cursor: Int64, _ limit: Int, _ now: Timestamp, _ db: Database) throws -> Chunk? {
        guard let end = try end(of: Self.reach, after: cursor, db) else { return nil }
        var chunk = Chunk()
        let isFull = try fill(
            &chunk, limit,
            try db.prepared(
                """
                \(Self.select) j where lane = ?1 and position > ?2 and position <= ?4
                  and not exists (select 1 from martlet_tombstone t where t.lane = ?1 and t.position = j.position)
                order by position limit ?3
                """), [.int(id), .int(cursor), .int(limit), .int(end)], now)
        chunk.first = cursor + 1
        chunk.upto = isFull ? chunk.positions.last! : end
        try db.run(
            "delete from martlet_tombstone where lane = ? and position between ? and ?", .int(id), .int(chunk.first),
            .int(chunk.upto))
        return chunk
    }

    /// The place of the entry that lies `count` entries behind the cursor, or of the lane's last one.
    private func end(of count: Int, after cursor: Int64, _ db: Database) throws -> Int64? {
        try db.first(
            "select position from martlet_job where lane = ? and position > ? order by position limit 1 offset ?", .int(id),
            .int(cursor), .int(count), read: { $0.int(0) })
            ?? db.first(
                "select position from martlet_job where lane = ? and position > ? order by position desc limit 1", .int(id),
                .int(cursor), read: { $0.int(0) })
    }

    // MARK: Rows

    private static let select =
        "select position, id, attempt, crashes, max_attempts, timeout_ms, enqueued_at, args, expires_at from martlet_job"

    /// - Returns: whether it stopped for a limit and not for want of rows.
    @discardableResult
    private func fill(
        _ chunk: inout Chunk, _ limit: Int, _ statement: borrowing SQLStatement, _ values: [SQLValue], _ now: Timestamp
    ) throws -> Bool {
        defer { statement.reset() }
        statement.bind(values)
        chunk.positions.reserveCapacity(limit)
        chunk.jobs.reserveCapacity(limit)
        var bytes = 0
        while bytes < Limits.leaseBytes {
            guard try statement.step() else { return chunk.jobs.count == limit }
            let position = statement.int(0)
            let args = JSONText(trusted: statement.bytes(7))
            bytes += args.utf8.count
            chunk.positions.append(position)
            chunk.jobs.append(
                LeasedJob(
                    id: JobID(rawValue: statement.optionalInt(1) ?? position), attempt: statement.count(2) + 1,
                    crashes: statement.count(3), maxAttempts: statement.optionalInt(4).map(Int.init),
                    timeout: statement.optionalInt(5).map { .milliseconds($0) },
                    expiresIn: statement.optionalInt(8).map { Timestamp(microseconds: $0) - now },
                    enqueuedAt: Timestamp(microseconds: statement.int(6)), args: args))
        }
        return true
    }
}
