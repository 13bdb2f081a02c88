import GRDB
import MartletCore
import MartletStore

/// Marks how jobs ended, under the one lease that opens them, and moves those that live on to where they live.
enum Settle {
    static func run(_ settlements: [Settlement], now: Timestamp, _ db: Database) throws -> SettleReply {
        var lost: Set<LeaseID> = []
        var repeated = 0
        var followUps: [NewJob] = []
        var tally = LaneTally()
        for (id, group) in grouped(settlements) {
            guard var lease = try OpenLease(id, db) else {
                lost.insert(id)
                continue
            }
            let cancelled = try group.contains { $0.ending.runsAgain } ? CancelRequests.of(lease.id, db) : []
            var completed = 0
            for settlement in group {
                guard lease.isOpen(settlement.index) else {
                    repeated += 1
                    continue
                }
                // Most are, and need no more than their mark.
                guard !settlement.isPlain else {
                    lease.mark(settlement, as: .completed)
                    completed += 1
                    continue
                }
                // A person was told that it will stop, so it does not run again.
                let isOver = cancelled.contains(settlement.index) && settlement.ending.runsAgain
                lease.mark(settlement, as: isOver ? .cancelled : settlement.ending.mark)
                try carryOut(settlement, isOver ? .cancelled : settlement.ending, lease, now: now, &tally, db)
                if let usage = settlement.usage { try keep(usage, settlement, lease, now: now, db) }
                if !settlement.followUps.isEmpty { followUps += settlement.followUps }
            }
            tally.move(completed, from: .running, to: .completed, lane: lease.lane)
            try lease.write(now: now, db)
        }
        try tally.write(now: now, db)
        if !followUps.isEmpty { _ = try Enqueue.run(followUps, now: now, db) }
        return SettleReply(lost: lost, repeated: repeated)
    }

    /// Settlements mostly come in runs of one lease; the order of leases is kept.
    private static func grouped(_ settlements: [Settlement]) -> [(LeaseID, [Settlement])] {
        if let first = settlements.first, settlements.allSatisfy({ $0.lease == first.lease }) {
            return [(first.lease, settlements)]
        }
        return Dictionary(grouping: settlements, by: \.lease).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private static func carryOut(
        _ settlement: Settlement, _ ending: Ending, _ lease: OpenLease, now: Timestamp, _ tally: inout LaneTally,
        _ db: Database
    ) throws {
        let entry = LogEntry(position: lease.positions[settlement.index], lane: lease.lane)
        switch ending {
        case .completed(let result):
            if let result {
                try db.run(
                    "insert into martlet_result (job, value) values (?, ?)", .int(try entry.job(db)), .utf8(result.utf8))
            }
            tally.move(from: .running, to: .completed, lane: lease.lane)
        case .retryable(let error, let delay):
            try recordError(error, settlement, lease, entry, now: now, db)
            if delay <= .zero {
                try entry.append(attempts: 1, db)
                tally.move(from: .running, to: .available, lane: lease.lane)
            } else {
                try entry.delay(until: now + delay, state: .retryable, attempts: 1, db)
                tally.move(from: .running, to: .retryable, lane: lease.lane)
            }
        case .snoozed(let delay):
            try entry.delay(until: now + delay, state: .scheduled, attempts: 0, db)
            tally.move(from: .running, to: .scheduled, lane: lease.lane)
        case .crashed(let error, let delay):
            try recordError(error, settlement, lease, entry, now: now, db)
            try entry.delay(until: now + delay, state: .retryable, attempts: 0, crashes: 1, db)
            tally.move(from: .running, to: .retryable, lane: lease.lane)
        case .failed(let error, let reason):
            try recordError(error, settlement, lease, entry, now: now, db)
            let failure = try Failures.count(error, lane: lease.lane, now: now, db)
            let charge = ending.charge
            try entry.end(
                .failed, reason: reason, failure: failure, attempts: charge.attempts, crashes: charge.crashes,
                lease.history(of: settlement), now: now, db)
            tally.move(from: .running, to: .failed, lane: lease.lane)
        case .cancelled:
            switch settlement.ending {
            case .retryable(let error, _), .crashed(let error, _):
                try recordError(error, settlement, lease, entry, now: now, db)
            case .completed, .snoozed, .failed, .cancelled, .givenBack:
                break
            }
            try entry.end(.cancelled, attempts: 1, lease.history(of: settlement), now: now, db)
            tally.move(from: .running, to: .cancelled, lane: lease.lane)
        case .givenBack:
            try entry.append(attempts: 0, db)
            tally.move(from: .running, to: .available, lane: lease.lane)
        }
    }

    private static func recordError(
        _ error: JobError, _ settlement: Settlement, _ lease: OpenLease, _ entry: LogEntry, now: Timestamp, _ db: Database
    ) throws {
        try db.run(
            """
            insert into martlet_attempt_error (job, attempt, max_attempts, type, message, detail, started_at, at, worker)
            select coalesce(id, position), attempt + (?6 is not null), ?2, ?3, ?4, ?5, ?6, ?7, ?8 from martlet_job
            where position = ?1
            """,
            .int(entry.position), .int(settlement.maxAttempts), .text(error.type), .text(error.message),
            .optional(error.detail), .optional(lease.startedAt(of: settlement)?.microseconds), .int(now.microseconds),
            .optional(lease.worker))
    }

    private static func keep(
        _ usage: Usage, _ settlement: Settlement, _ lease: OpenLease, now: Timestamp, _ db: Database
    ) throws {
        guard usage != Usage() else { return }
        try db.run(
            """
            insert into martlet_usage (job, lease, attempt, at, peak_memory, processor_us, blocked_us)
            select coalesce(id, position), ?2, attempt + 1, ?3, ?4, ?5, ?6 from martlet_job where position = ?1
            """,
            .int(lease.positions[settlement.index]), .int(lease.id.rawValue), .int(now.microseconds),
            .optional(usage.peakMemory.map(Int64.init)), .optional(usage.processorTime?.microseconds),
            .optional(usage.blocked?.microseconds))
    }
}

extension Ending {
    fileprivate var runsAgain: Bool {
        switch self {
        case .retryable, .snoozed, .crashed, .givenBack: true
        case .completed, .failed, .cancelled: false
        }
    }
}

enum CancelRequests {
    /// The indexes of the lease's jobs that a person asked to stop.
    static func of(_ lease: LeaseID, _ db: Database) throws -> Set<Int> {
        Set(try db.rows("select idx from martlet_cancel_request where lease = ?", .int(lease.rawValue)) { $0.count(0) })
    }
}
