import GRDB
import MartletCore
import MartletStore

/// One row that says "these jobs, this worker".
enum Claim {
    /// Looked at before a transaction is begun, so that an idle worker's polling writes nothing.
    static func hasWork(_ request: ClaimRequest, _ db: Database) throws -> Bool {
        try !candidates(request, db).isEmpty
    }

    static func run(_ request: ClaimRequest, now: Timestamp, _ db: Database) throws -> [Lease] {
        guard try Workers.isAlive(request.worker, db) else { return [] }
        var tally = LaneTally()
        var leases: [Lease] = []
        var left = Budget(request)
        for lane in try inOrder(candidates(request, db), db) {
            while let limit = left.limit(for: lane.key.kind) {
                guard let taken = try take(lane, limit: limit, worker: request.worker, now: now, &tally, db) else { break }
                guard let lease = taken else { continue }
                left.spend(lease)
                leases.append(lease)
            }
        }
        try tally.write(db)
        return leases
    }

    // MARK: Which lanes

    private struct Lane {
        let id: Int64
        let key: LaneKey
    }

    private static func candidates(_ request: ClaimRequest, _ db: Database) throws -> [Lane] {
        let wanted = Set(request.wants.filter { $0.limit > 0 }.map(\.kind))
        let queues = request.queues.map(Set.init)
        return try db.rows("select id, queue, kind, priority from martlet_lane where available > 0 and paused = 0") {
            Lane(id: $0.int(0), key: LaneKey(queue: $0.text(1), kind: $0.text(2), priority: $0.count(3)))
        }.filter { lane in wanted.contains(lane.key.kind) && queues?.contains(lane.key.queue) != false }
    }

    /// The most urgent priority first, then the lane whose head waits longest.
    private static func inOrder(_ lanes: [Lane], _ db: Database) throws -> [Lane] {
        guard lanes.count > 1 else { return lanes }
        let heads = try lanes.map { lane in
            let since = try db.first(
                "select max(enqueued_at, coalesce(run_at, 0)) from martlet_job where lane = ? and position > ? order by position limit 1",
                .int(lane.id), .int(try Lanes.cursor(lane.id, db)), read: { $0.int(0) })
            return (lane: lane, since: since ?? .max)
        }
        return heads.sorted { ($0.lane.key.priority, $0.since) < ($1.lane.key.priority, $1.since) }.map(\.lane)
    }

    /// What may still be claimed.
    private struct Budget {
        private var total: Int
        private var bytes = Limits.leaseBytes
        private var kinds: [String: Int]

        init(_ request: ClaimRequest) {
            total = request.limit
            kinds = Dictionary(request.wants.map { ($0.kind, $0.limit) }, uniquingKeysWith: max)
        }

        /// nil when nothing of the kind may be claimed any more.
        func limit(for kind: String) -> Int? {
            let limit = min(total, kinds[kind] ?? 0, Limits.leaseJobs)
            return limit > 0 && bytes > 0 ? limit : nil
        }

        mutating func spend(_ lease: Lease) {
            total -= lease.jobs.count
            kinds[lease.kind]! -= lease.jobs.count
            bytes -= lease.jobs.reduce(0) { $0 + $1.args.utf8.count }
        }
    }

    // MARK: One lane

    /// - Returns: nil when the lane has nothing more; an inner nil when all it had was cancelled before.
    private static func take(
        _ lane: Lane, limit: Int, worker: WorkerID, now: Timestamp, _ tally: inout LaneTally, _ db: Database
    ) throws -> Lease?? {
        let chunk = try read(lane, after: Lanes.cursor(lane.id, db), limit: limit, db)
        guard let first = chunk.positions.first, let upto = chunk.positions.last else { return nil }
        let cancelled = try tombstones(lane.id, first...upto, db)
        let kept = chunk.positions.indices.filter { !cancelled.contains(chunk.positions[$0]) }
        let jobs = kept.count == chunk.jobs.count ? chunk.jobs : kept.map { chunk.jobs[$0] }
        let positions = LeasePositions(kept.map { chunk.positions[$0] }, first: first)
        try db.run(
            """
            insert into martlet_lease (lane, worker, first, upto, count, positions, open, claimed_at, finished_at)
            values (?1, ?2, ?3, ?4, ?5, ?6, ?5, ?7, case when ?5 = 0 then ?7 end)
            """,
            .int(lane.id), .int(worker.rawValue), .int(first), .int(upto), .int(jobs.count), positions.stored,
            .int(now.microseconds))
        tally.move(jobs.count, from: .available, to: .running, lane: lane.id)
        guard !jobs.isEmpty else { return .some(nil) }
        return Lease(
            id: LeaseID(rawValue: db.lastInsertedRowID), kind: lane.key.kind, queue: lane.key.queue,
            priority: Priority(rawValue: lane.key.priority)!, jobs: jobs)
    }

    private struct Chunk {
        var positions: [Int64] = []
        var jobs: [LeasedJob] = []
    }

    private static func read(_ lane: Lane, after cursor: Int64, limit: Int, _ db: Database) throws -> Chunk {
        let statement = try db.prepared(
            """
            select position, id, attempt, crashes, max_attempts, timeout_ms, enqueued_at, args from martlet_job
            where lane = ? and position > ? order by position limit ?
            """)
        defer { statement.reset() }
        statement.bind([.int(lane.id), .int(cursor), .int(limit)])
        var chunk = Chunk()
        chunk.positions.reserveCapacity(limit)
        chunk.jobs.reserveCapacity(limit)
        var bytes = 0
        while try bytes < Limits.leaseBytes && statement.step() {
            let position = statement.int(0)
            let args = JSONText(trusted: statement.bytes(7))
            bytes += args.utf8.count
            chunk.positions.append(position)
            chunk.jobs.append(
                LeasedJob(
                    id: JobID(rawValue: statement.optionalInt(1) ?? position), attempt: statement.count(2) + 1,
                    crashes: statement.count(3), maxAttempts: statement.optionalInt(4).map(Int.init),
                    timeout: statement.optionalInt(5).map { .milliseconds($0) },
                    enqueuedAt: Timestamp(microseconds: statement.int(6)), args: args))
        }
        return chunk
    }

    /// Entries of the chunk that were cancelled while they waited. They have served when the cursor has passed them.
    private static func tombstones(_ lane: Int64, _ range: ClosedRange<Int64>, _ db: Database) throws -> Set<Int64> {
        let found = try db.rows(
            "select position from martlet_tombstone where lane = ? and position between ? and ?", .int(lane),
            .int(range.lowerBound), .int(range.upperBound)
        ) { $0.int(0) }
        if !found.isEmpty {
            try db.run(
                "delete from martlet_tombstone where lane = ? and position between ? and ?", .int(lane),
                .int(range.lowerBound), .int(range.upperBound))
        }
        return Set(found)
    }
}
