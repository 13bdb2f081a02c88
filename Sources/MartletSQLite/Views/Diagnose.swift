import GRDB
import GRDBSQLite
import Glibc
import MartletCore
import MartletStore

/// What `martlet doctor` looks at on this engine.
enum Diagnose {
    static func run(_ files: DatabaseFiles, _ liveness: Liveness, now: Timestamp, _ db: Database) throws -> [Finding] {
        var findings = [version(), try schema(db)]
        findings += try settings(db)
        findings += [
            try integrity(db), disk(files), log(files), try counters(db), try expired(now: now, db),
            try deadWorkers(liveness, db),
        ]
        return findings
    }

    private static func version() -> Finding {
        let text = String(cString: sqlite3_libversion())
        // The WAL-reset bug: https://sqlite.org/wal.html
        guard (3_007_000..<3_051_003).contains(Int(sqlite3_libversion_number())) else {
            return Finding("sqlite", .ok, "SQLite \(text)")
        }
        return Finding(
            "sqlite", .note,
            "SQLite \(text) has the WAL-reset bug (fixed in 3.51.3). Martlet's own processes keep clear of it by taking turns; "
                + "other programs that write to this file should set pragma wal_autocheckpoint = 0")
    }

    private static func schema(_ db: Database) throws -> Finding {
        let status = try Schema.status(db)
        return Finding("schema", .ok, "version \(status.current) of \(status.latest)")
    }

    private static func settings(_ db: Database) throws -> [Finding] {
        let mode = try db.first("pragma journal_mode") { $0.text(0) } ?? "unknown"
        return [
            mode == "wal"
                ? Finding("journal_mode", .ok, "wal")
                : Finding("journal_mode", .problem, "\(mode), not wal: another program changed it; restart all of Martlet")
        ]
    }

    private static func integrity(_ db: Database) throws -> Finding {
        let complaints = try db.rows("pragma quick_check(5)") { $0.text(0) }
        guard complaints != ["ok"] else { return Finding("integrity", .ok, "quick check passed") }
        return Finding(
            "integrity", .problem,
            "damaged: \(complaints.joined(separator: "; ")); stop all writers and restore a backup, or run sqlite3's .recover"
        )
    }

    private static func disk(_ files: DatabaseFiles) -> Finding {
        var info = statvfs()
        guard statvfs(files.path, &info) == 0 else {
            return Finding("disk", .warning, "free space is unknown: \(String(cString: strerror(errno)))")
        }
        let free = Int64(info.f_bavail) * Int64(info.f_frsize)
        let message = "\(free >> 20) MiB free"
        switch free {
        case ..<(100 << 20): return Finding("disk", .problem, message + ": enqueues will soon be refused; free some space")
        case ..<(1 << 30): return Finding("disk", .warning, message + ": make room before it runs out")
        default: return Finding("disk", .ok, message)
        }
    }

    private static func log(_ files: DatabaseFiles) -> Finding {
        var info = stat()
        let size = stat(files.wal, &info) == 0 ? Int64(info.st_size) : 0
        guard size > 256 << 20 else { return Finding("wal", .ok, "\(size >> 20) MiB") }
        return Finding(
            "wal", .warning,
            "\(size >> 20) MiB: some program keeps a read transaction open, and the log cannot be cut until it ends; "
                + "find it with: fuser -v \(files.path)")
    }

    /// The counters against what they count.
    private static func counters(_ db: Database) throws -> Finding {
        let wrong = try Audit.run(db)
        guard !wrong.isEmpty else { return Finding("counters", .ok, "every job is where its state says") }
        return Finding("counters", .problem, wrong.prefix(5).joined(separator: "; "))
    }

    private static func expired(now: Timestamp, _ db: Database) throws -> Finding {
        .expired(
            try db.rows(
                """
                select l.queue, l.kind, count(*) from martlet_job j indexed by martlet_job_expires
                join martlet_lane l on l.id = j.lane
                where j.expires_at is not null and j.expires_at <= ?
                  and j.position > coalesce((select max(upto) from martlet_lease where lane = j.lane), 0)
                  and not exists (select 1 from martlet_tombstone t where t.lane = j.lane and t.position = j.position)
                group by l.queue, l.kind order by l.queue, l.kind
                """, .int(now.microseconds)
            ) { ($0.text(0), $0.text(1), $0.count(2)) })
    }

    private static func deadWorkers(_ liveness: Liveness, _ db: Database) throws -> Finding {
        let silent = try Workers.list(liveness, db).filter { !$0.alive }
        guard !silent.isEmpty else { return Finding("workers", .ok, "none is gone or overdue") }
        let names = silent.map { "\($0.name) (\($0.running) jobs)" }.joined(separator: ", ")
        return Finding(
            "workers", .warning,
            "gone or silent for longer than their lease: \(names); any running worker takes their jobs over")
    }
}
