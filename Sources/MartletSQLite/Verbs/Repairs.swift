import GRDB
import MartletCore
import MartletStore

/// What people do to jobs, for jobs named one by one.
enum Repairs {
    /// - Parameters:
    ///   - states: jobs in another state by now are passed over in silence; nil: they are refused.
    ///   - attempts: how many more a retried job has.
    static func run(
        _ repair: Repair, _ ids: [JobID], only states: Set<JobState>?, attempts: Int? = nil, now: Timestamp, dryRun: Bool,
        _ db: Database
    ) throws -> RepairReply {
        var changed = 0
        var requested = 0
        var refused: [RepairReply.Refusal] = []
        var missing: [JobID] = []
        var tally = LaneTally()
        var seen: Set<JobID> = []
        var lease: OpenLease?
        for id in ids where seen.insert(id).inserted {
            let place = try Whereabouts.find(id, &lease, db)
            if let states, !states.contains(where: { $0 == place?.state }) { continue }
            guard let place else {
                missing.append(id)
                continue
            }
            guard repair.states.contains(place.state) else {
                refused.append(RepairReply.Refusal(id: id, state: place.state))
                continue
            }
            changed += 1
            if repair == .cancel && place.state == .running { requested += 1 }
            if dryRun { continue }
            switch repair {
            case .retry: try retry(id, place, attempts: attempts, now: now, &tally, db)
            case .cancel: try cancel(id, place, now: now, &tally, db)
            case .discard: try discard(id, place, &tally, db)
            }
        }
        try tally.write(now: now, db)
        return RepairReply(changed: changed, requested: requested, refused: refused, missing: missing)
    }

    private static func retry(
        _ id: JobID, _ place: Whereabouts, attempts: Int?, now: Timestamp, _ tally: inout LaneTally, _ db: Database
    ) throws {
        let position = try Positions.take(1, db)
        let lane: Int64
        switch place {
        case .delayed:
            lane = try Self.lane(of: id, in: "martlet_delayed", db)
            try Delayed.append(id.rawValue, at: position, runAt: now, attempts: attempts, db)
        case .failed:
            lane = try Self.lane(of: id, in: "martlet_failed", db)
            try db.run(
                """
                insert into martlet_job
                  (position, id, lane, enqueued_at, run_at, attempt, crashes, max_attempts, timeout_ms, expires_at, args)
                select ?2, id, lane, enqueued_at, ?3, attempt, 0, coalesce(attempt + ?4, max_attempts), timeout_ms,
                  case when expires_at > ?3 then expires_at end, args
                from martlet_failed where id = ?1
                """, .int(id.rawValue), .int(position), .int(now.microseconds), .optional(attempts.map(Int64.init)))
            try removeFailed(id, db)
        case .waiting, .leased:
            return
        }
        tally.move(from: place.state, to: .available, lane: lane)
    }

    private static func cancel(
        _ id: JobID, _ place: Whereabouts, now: Timestamp, _ tally: inout LaneTally, _ db: Database
    ) throws {
        switch place {
        case .delayed(let state):
            let lane = try lane(of: id, in: "martlet_delayed", db)
            try Delayed.cancel(id.rawValue, now: now, db)
            tally.move(from: state, to: .cancelled, lane: lane)
        case .waiting(let entry):
            try db.run(
                "insert into martlet_tombstone (lane, position) values (?, ?)", .int(entry.lane), .int(entry.position))
            try entry.end(.cancelled, attempts: 0, LogEntry.History(startedAt: nil, worker: nil), now: now, db)
            tally.move(from: .available, to: .cancelled, lane: entry.lane)
        case .leased(_, let lease, let index):
            try db.run(
                "insert into martlet_cancel_request (lease, idx) values (?, ?) on conflict do nothing",
                .int(lease.id.rawValue), .int(index))
        case .failed:
            return
        }
    }

    private static func discard(_ id: JobID, _ place: Whereabouts, _ tally: inout LaneTally, _ db: Database) throws {
        let lane = try lane(of: id, in: "martlet_failed", db)
        try removeFailed(id, db)
        try Attempts.remove(of: id, db)
        tally.add(-1, to: place.state, lane: lane)
    }

    /// Takes a job out of `martlet_failed`, and out of the group of its error.
    static func removeFailed(_ id: JobID, _ db: Database) throws {
        let failure = try db.first("select failure from martlet_failed where id = ?", .int(id.rawValue)) {
            $0.optionalInt(0)
        }
        try db.run("delete from martlet_failed where id = ?", .int(id.rawValue))
        if let failure = failure.flatMap({ $0 }) { try Failures.release(failure, db) }
    }

    private static func lane(of id: JobID, in table: String, _ db: Database) throws -> Int64 {
        let lane = try db.first("select lane from \(table) where id = ?", .int(id.rawValue)) { $0.int(0) }
        guard let lane else { throw StoreError.damaged("job \(id) is missing in \(table)") }
        return lane
    }
}
