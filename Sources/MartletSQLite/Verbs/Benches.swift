import Foundation
import GRDB
import MartletCore
import MartletStore

/// What `martlet bench` asks. It measures in a database that people use: lanes of its kind in queues of its name are the only
/// ones that anything here touches.
enum Benches {
    static func surroundings(_ liveness: Liveness, _ db: Database) throws -> BenchSurroundings {
        let lanes = try db.rows("select queue, kind, available, running from martlet_lane") {
            (bench: bench(queue: $0.text(0), kind: $0.text(1)), available: $0.count(2), running: $0.count(3))
        }
        let others = lanes.filter { $0.bench == nil }
        let workers = try Workers.list(liveness, db).filter(\.alive)
        return BenchSurroundings(
            workers: workers.count { $0.kinds != [BenchName.kind] },
            available: others.reduce(0) { $0 + $1.available }, running: others.reduce(0) { $0 + $1.running },
            bytes: try size(db), benches: Set(lanes.compactMap(\.bench)),
            alive: Set(workers.filter { $0.kinds == [BenchName.kind] }.compactMap { BenchName($0.name) }))
    }

    private static func bench(queue: String, kind: String) -> BenchName? {
        kind == BenchName.kind ? BenchName(queue: queue) : nil
    }

    // MARK: Conditions

    static func conditions(_ files: DatabaseFiles, _ db: Database) throws -> StoreConditions {
        func pragma(_ name: String) throws -> String { try db.first("pragma \(name)") { $0.text(0) } ?? "unknown" }
        let synchronous = try pragma("synchronous")
        return StoreConditions(
            engine: "SQLite \(try db.first("select sqlite_version()") { $0.text(0) } ?? "unknown")",
            settings: [
                .init("journal_mode", try pragma("journal_mode")),
                .init("synchronous", ["0": "OFF", "1": "NORMAL", "2": "FULL", "3": "EXTRA"][synchronous] ?? synchronous),
                .init("page_size", try pragma("page_size")), .init("file_system", fileSystem(files.path)),
            ], freed: "which new jobs use again")
    }

    /// On some of them nothing is durable: what is mounted last of those that the path lies below.
    private static func fileSystem(_ path: String) -> String {
        let mounts = FileManager.default.contents(atPath: "/proc/self/mountinfo") ?? Data()
        return fileSystem(of: path, in: String(decoding: mounts, as: UTF8.self)) ?? "unknown"
    }

    /// - Parameter mounts: as proc_pid_mountinfo(5) has them.
    static func fileSystem(of path: String, in mounts: String) -> String? {
        // What would end a field is written in octal.
        let path = path.replacing("\\", with: "\\134").replacing(" ", with: "\\040")
        var found: (depth: Int, type: String)?
        for line in mounts.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 4, let dash = words.firstIndex(of: "-"), dash + 1 < words.endIndex else { continue }
            let point = words[4] == "/" ? "" : String(words[4])
            guard path.hasPrefix(point + "/"), point.utf8.count >= found?.depth ?? 0 else { continue }
            found = (point.utf8.count, String(words[dash + 1]))
        }
        return found?.type
    }

    /// With what lies in the write-ahead log only, which comes and goes.
    private static func size(_ db: Database) throws -> Int {
        try db.first("select page_count * page_size from pragma_page_count(), pragma_page_size()") { $0.count(0) } ?? 0
    }

    // MARK: Removing

    static func remove(_ name: BenchName, limit: Int, now: Timestamp, _ db: Database) throws -> Int {
        let lanes = try Lanes.matching(JobFilter(kind: BenchName.kind), db).filter {
            BenchName(queue: $0.value.queue) == name
        }
        var tally = LaneTally()
        var removed = 0
        for lane in lanes.keys.sorted() {
            if try db.first("select 1 from martlet_lease where lane = ? and open > 0", .int(lane), read: { _ in true })
                == true
            {
                continue
            }
            removed += try waiting(lane, limit: limit - removed, &tally, db)
            if removed < limit { removed += try claimed(lane, limit: limit - removed, &tally, db) }
            guard removed < limit else { break }
            try rest(lane, db)
        }
        try tally.write(now: now, db)
        if removed < limit {
            // Nothing shows their names any more, and what they learned is of no use to anybody.
            try db.run(
                "delete from martlet_worker where name = ? and kinds = ? and ended_at is not null", .text(name.description),
                .text("[\"\(BenchName.kind)\"]"))
        }
        return removed
    }

    /// Entries that nobody has claimed.
    private static func waiting(_ lane: Int64, limit: Int, _ tally: inout LaneTally, _ db: Database) throws -> Int {
        let cursor = try Lanes.cursor(lane, db)
        let last = try db.first(
            """
            select max(position) from (
              select position from martlet_job where lane = ? and position > ? order by lane, position limit ?)
            """, .int(lane), .int(cursor), .int(limit)
        ) { $0.optionalInt(0) }
        guard let last = last.flatMap({ $0 }) else { return 0 }
        let jobs = try db.rows(
            "select coalesce(id, position) from martlet_job where lane = ? and position > ? and position <= ?", .int(lane),
            .int(cursor), .int(last)
        ) { JobID(rawValue: $0.int(0)) }
        // Of those that have run before.
        if try db.first("select 1 from martlet_attempt_error limit 1", read: { _ in true }) == true {
            for job in jobs { try Attempts.remove(of: job, db) }
        }
        try db.run(
            "delete from martlet_job where lane = ? and position > ? and position <= ?", .int(lane), .int(cursor), .int(last)
        )
        try db.run(
            "delete from martlet_tombstone where lane = ? and position > ? and position <= ?", .int(lane), .int(cursor),
            .int(last))
        tally.add(-(jobs.count - db.changesCount), to: .available, lane: lane)
        return jobs.count
    }

    /// Leases with their part of the log, the oldest first, so that the cursor goes last.
    private static func claimed(_ lane: Int64, limit: Int, _ tally: inout LaneTally, _ db: Database) throws -> Int {
        var removed = 0
        while removed < limit {
            let lease = try db.first(
                "select id, first, upto, completed from martlet_lease where lane = ? order by lane, upto limit 1", .int(lane)
            ) { (id: $0.int(0), first: $0.int(1), upto: $0.int(2), completed: $0.count(3)) }
            guard let lease else { break }
            if lease.completed > 0 { try Retain.forgetCompleted(LeaseID(rawValue: lease.id), db) }
            try db.run(
                "delete from martlet_job where lane = ? and position between ? and ?", .int(lane), .int(lease.first),
                .int(lease.upto))
            removed += db.changesCount
            try db.run("delete from martlet_lease where id = ?", .int(lease.id))
            try db.run("delete from martlet_progress where lease = ?", .int(lease.id))
            tally.add(-lease.completed, to: .completed, lane: lane)
        }
        return removed
    }

    /// What is not in the log, and the lane.
    private static func rest(_ lane: Int64, _ db: Database) throws {
        let others = try db.rows(
            "select id from martlet_failed where lane = ?1 union all select id from martlet_delayed where lane = ?1",
            .int(lane)
        ) { JobID(rawValue: $0.int(0)) }
        for job in others {
            try Repairs.removeFailed(job, db)
            try Attempts.remove(of: job, db)
        }
        try db.run("delete from martlet_delayed where lane = ?", .int(lane))
        try db.run("delete from martlet_lane where id = ?", .int(lane))
    }
}
