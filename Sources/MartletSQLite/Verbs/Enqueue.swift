import GRDB
import MartletCore
import MartletStore

/// Appends jobs: those that are due go straight to the log, the others wait in `martlet_delayed`.
enum Enqueue {
    static func run(_ jobs: [NewJob], now: Timestamp, _ db: Database) throws -> [JobID] {
        guard !jobs.isEmpty else { return [] }
        var tally = LaneTally()
        let first = try Positions.take(jobs.count, db)
        let log = try db.prepared(
            """
            insert into martlet_job (position, lane, enqueued_at, max_attempts, timeout_ms, args, expires_at)
            values (?, ?, ?, ?, ?, ?, ?)
            """)
        defer { log.reset() }
        log.bind(3, .int(now.microseconds))

        var run = LaneRun()
        for (offset, job) in jobs.enumerated() {
            let position = first + Int64(offset)
            let lane = try run.lane(of: job, db, &tally)
            if let runAt = job.dueLater(than: now) {
                try delay(job, id: position, lane: lane, runAt: runAt, now: now, db)
                tally.add(1, to: .scheduled, lane: lane)
                continue
            }
            run.available += 1
            log.bind(1, .int(position))
            log.bind(2, .int(lane))
            log.bind(4, .optional(job.maxAttempts.map(Int64.init)))
            log.bind(5, .optional(job.timeout?.milliseconds))
            log.bind(6, .utf8(job.args.utf8))
            log.bind(7, .optional(job.expiresAt(enqueued: now)))
            _ = try log.step()
            log.again()
        }
        run.finish(&tally)
        try tally.write(now: now, db)
        return jobs.indices.map { JobID(rawValue: first + Int64($0)) }
    }

    private static func delay(
        _ job: NewJob, id: Int64, lane: Int64, runAt: Timestamp, now: Timestamp, _ db: Database
    ) throws {
        try db.run(
            """
            insert into martlet_delayed (id, lane, state, run_at, enqueued_at, max_attempts, timeout_ms, args, expires_at)
            values (?, ?, 'scheduled', ?, ?, ?, ?, ?, ?)
            """,
            .int(id), .int(lane), .int(runAt.microseconds), .int(now.microseconds),
            .optional(job.maxAttempts.map(Int64.init)), .optional(job.timeout?.milliseconds), .utf8(job.args.utf8),
            .optional(job.expiresAt(enqueued: now)))
    }

    /// Neighbours in a batch mostly share their lane: it is looked up and counted once per run of equals.
    private struct LaneRun {
        private var current: (key: LaneKey, id: Int64)?
        var available = 0

        mutating func lane(of job: NewJob, _ db: Database, _ tally: inout LaneTally) throws -> Int64 {
            if let current, current.key.kind == job.kind, current.key.queue == job.queue,
                current.key.priority == job.priority.rawValue
            {
                return current.id
            }
            finish(&tally)
            let key = LaneKey(queue: job.queue, kind: job.kind, priority: job.priority.rawValue)
            let id = try Lanes.id(key, db)
            current = (key, id)
            return id
        }

        mutating func finish(_ tally: inout LaneTally) {
            if let current { tally.add(available, to: .available, lane: current.id) }
            available = 0
        }
    }
}

extension NewJob {
    fileprivate func expiresAt(enqueued now: Timestamp) -> Int64? {
        switch expires {
        case nil: nil
        case .after(let time)?: (now + time).microseconds
        case .at(let time)?: time.microseconds
        }
    }

    /// nil when it is due now.
    fileprivate func dueLater(than now: Timestamp) -> Timestamp? {
        let due: Timestamp
        switch start {
        case .now: return nil
        case .after(let delay): due = now + delay
        case .at(let time): due = time
        }
        return due > now ? due : nil
    }
}
