import GRDB
import MartletCore
import MartletStore

/// What running jobs say of how far they are: a row each, replaced by the next one, behind the same fence as a settlement.
enum Report {
    static func run(_ reports: [JobProgress], now: Timestamp, _ db: Database) throws -> Set<LeaseID> {
        var lost: Set<LeaseID> = []
        for (id, reports) in Dictionary(grouping: reports, by: \.lease) {
            guard let lease = try OpenLease(id, db) else {
                lost.insert(id)
                continue
            }
            let running = reports.filter { lease.isOpen($0.index) }
            guard !running.isEmpty else { continue }
            try db.run("update martlet_lease set noted = 1 where id = ? and noted = 0", .int(id.rawValue))
            for report in running { try keep(report, now: now, db) }
        }
        return lost
    }

    private static func keep(_ report: JobProgress, now: Timestamp, _ db: Database) throws {
        try db.run(
            """
            insert into martlet_progress (lease, idx, fraction, note, at) values (?, ?, ?, ?, ?)
            on conflict do update set fraction = excluded.fraction, note = excluded.note, at = excluded.at
            """,
            .int(report.lease.rawValue), .int(report.index), report.fraction.map(SQLValue.real) ?? .null,
            .optional(report.note), .int(now.microseconds))
    }

    static func last(_ lease: LeaseID, index: Int, _ db: Database) throws -> ProgressReport? {
        try db.first(
            "select fraction, note, at from martlet_progress where lease = ? and idx = ?", .int(lease.rawValue), .int(index)
        ) { row in
            ProgressReport(
                fraction: row.optionalReal(0), note: row.optionalText(1), at: Timestamp(microseconds: row.int(2)))
        }
    }
}
