import Foundation
import Martlet

/// The floors on SQLite: what its own statements take for the same rows, with no library around them. One thread, everything
/// prepared once, `synchronous=FULL`.
enum SQLiteFloor {
    // MARK: Enqueue

    private static let batch = 10_000

    /// The args of so many jobs, end to end, made before the time begins.
    struct Rows {
        private var bytes: [UInt8] = []
        private var ends: [Int] = []

        init(_ count: Int) throws {
            let encoder = JSONEncoder()
            for number in 0..<count {
                bytes += try encoder.encode(Nothing(number: number))
                ends.append(bytes.count)
            }
        }

        var count: Int { ends.count }

        func forEach(_ body: (Int, UnsafeRawBufferPointer) throws -> Void) rethrows {
            try bytes.withUnsafeBytes { bytes in
                var start = 0
                for (number, end) in ends.enumerated() {
                    try body(number, UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
                    start = end
                }
            }
        }
    }

    /// Into a bare table: the columns that our rows fill, and no index.
    /// - Returns: rows per second.
    static func insert(_ rows: Rows, in directory: URL) async throws -> Double {
        let database = try PlainSQLite(directory.appendingPathComponent("floor.db").path)
        try database.run(
            """
            create table job (
              position integer primary key, lane integer not null, enqueued_at integer not null, args text not null) strict
            """)
        let insert = try database.prepare("insert into job (position, lane, enqueued_at, args) values (?, 1, ?, ?)")
        insert.bind(2, Int64(Date().timeIntervalSince1970 * 1e6))
        let time = try await seconds {
            try rows.forEach { number, args in
                if number % batch == 0 { try database.run("begin immediate") }
                insert.bind(1, Int64(number + 1))
                insert.bind(3, text: args)
                _ = try insert.step()
                insert.reset()
                if (number + 1) % batch == 0 || number + 1 == rows.count { try database.run("commit") }
            }
        }
        let found = try database.number("select count(*) from job")
        guard Int(found) == rows.count else { throw Failure("\(found) of \(rows.count) rows are there") }
        return Double(rows.count) / time
    }

    // MARK: Drain

    private static let chunk = 500

    /// Over our own tables, filled by the library: one lease row for 500 jobs, their args read, the lease marked. What ends a
    /// lease makes the next one in the same transaction, so that 500 jobs cost one commit; it runs nothing.
    /// - Parameter file: all its jobs are in one lane, due and never run.
    /// - Returns: jobs per second.
    static func claimAndSettle(_ file: URL, jobs: Int) async throws -> Double {
        let database = try PlainSQLite(file.path)
        let drain = try Drain(database)
        let time = try await seconds {
            var (settled, claimed) = (0, 0)
            repeat {
                try database.run("begin immediate")
                try drain.settle(claimed)
                settled += claimed
                claimed = try drain.claim(chunk)
                try database.run("commit")
            } while claimed > 0
            guard settled == jobs else { throw Failure("\(settled) of \(jobs) jobs were there") }
        }
        let found = try database.number("select sum(completed) from martlet_lease")
        guard Int(found) == jobs, drain.bytes > jobs else { throw Failure("\(found) of \(jobs) jobs are completed") }
        return Double(jobs) / time
    }

    private final class Drain {
        private let cursor, jobs, lease, claimed, marked, settled: PlainSQLite.Statement
        /// Of args, read.
        private(set) var bytes = 0
        private var (lane, last) = (Int64(1), Int64(0))
        private let database: PlainSQLite

        init(_ database: PlainSQLite) throws {
            self.database = database
            cursor = try database.prepare("select max(upto) from martlet_lease where lane = ?")
            jobs = try database.prepare(
                """
                select position, id, attempt, crashes, max_attempts, timeout_ms, enqueued_at, args, expires_at from martlet_job
                where lane = ? and position > ? order by position limit ?
                """)
            lease = try database.prepare(
                """
                insert into martlet_lease (lane, worker, first, upto, count, open, claimed_at) values (?1, 1, ?2, ?3, ?4, ?4, ?5)
                returning id
                """)
            claimed = try database.prepare(
                "update martlet_lane set available = available - ?2, running = running + ?2, since = ?3 where id = ?1")
            marked = try database.prepare(
                "update martlet_lease set open = 0, completed = ?2, finished_at = ?3, endings = ?4, times = ?5 where id = ?1"
            )
            settled = try database.prepare(
                "update martlet_lane set running = running - ?2, completed = completed + ?2 where id = ?1")
            lane = try database.number("select id from martlet_lane")
        }

        /// - Returns: how many there were.
        func claim(_ limit: Int) throws -> Int {
            cursor.bind(1, lane)
            _ = try cursor.step()
            let after = cursor.int(0)
            cursor.reset()
            jobs.bind(1, lane)
            jobs.bind(2, after)
            jobs.bind(3, Int64(limit))
            var (count, first, upto, enqueued) = (0, Int64(0), Int64(0), Int64(0))
            while try jobs.step() {
                upto = jobs.int(0)
                if count == 0 { first = upto }
                enqueued = jobs.int(6)
                bytes += Array(jobs.text(7)).count
                count += 1
            }
            jobs.reset()
            guard count > 0 else { return 0 }
            for (place, value) in [lane, first, upto, Int64(count), Self.now].enumerated() {
                lease.bind(Int32(place + 1), value)
            }
            guard try lease.step() else { throw Failure("no lease was made") }
            last = lease.int(0)
            lease.reset()
            try claimed.run(lane, Int64(count), enqueued)
            return count
        }

        /// All of the newest lease, completed.
        func settle(_ count: Int) throws {
            guard count > 0 else { return }
            marked.bind(4, blob: [UInt8](repeating: 1, count: count))
            marked.bind(5, blob: [UInt8](repeating: 0, count: count * 8))
            try marked.run(last, Int64(count), Self.now)
            try settled.run(lane, Int64(count))
        }

        private static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1e6) }
    }
}
