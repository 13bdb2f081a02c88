import GRDB
import MartletCore
import MartletStore

/// Groups of failed jobs, counted as they come and go so that `martlet failed` never has to count a million of them.
enum Failures {
    /// - Returns: the group's number, for the failed job's row.
    static func count(_ error: JobError, lane: Int64, now: Timestamp, _ db: Database) throws -> Int64 {
        let fingerprint = ErrorFingerprint(type: error.type, message: error.message)
        let id = try db.first(
            """
            insert into martlet_failure (kind, fingerprint, type, message, count, first_seen_at, last_seen_at)
            select kind, ?2, ?3, ?4, 1, ?5, ?5 from martlet_lane where id = ?1
            on conflict (kind, fingerprint) do update
              set count = count + 1, last_seen_at = excluded.last_seen_at, message = excluded.message
            returning id
            """,
            .int(lane), .text(fingerprint.id), .text(error.type), .text(error.message), .int(now.microseconds),
            read: { $0.int(0) })
        guard let id else { throw StoreError.damaged("lane \(lane) is missing") }
        return id
    }

    /// One of the group is no longer failed.
    static func release(_ failure: Int64, _ db: Database) throws {
        try db.run("update martlet_failure set count = count - 1 where id = ?", .int(failure))
        try db.run("delete from martlet_failure where id = ? and count <= 0", .int(failure))
    }

    /// The groups of a fingerprint, one per kind.
    static func ids(_ fingerprint: String, _ db: Database) throws -> [Int64] {
        try db.rows("select id from martlet_failure where fingerprint = ?", .text(fingerprint)) { $0.int(0) }
    }

    static func list(limit: Int, _ db: Database) throws -> [FailureGroup] {
        try db.rows(
            """
            select kind, fingerprint, type, message, count, first_seen_at, last_seen_at,
              (select max(f.id) from martlet_failed f where f.failure = martlet_failure.id)
            from martlet_failure order by last_seen_at desc, id desc limit ?
            """, .int(limit)
        ) { row in
            FailureGroup(
                kind: row.text(0), fingerprint: row.text(1), type: row.text(2), message: row.text(3), count: row.count(4),
                firstSeen: Timestamp(microseconds: row.int(5)), lastSeen: Timestamp(microseconds: row.int(6)),
                example: JobID(rawValue: row.int(7)))
        }
    }
}
