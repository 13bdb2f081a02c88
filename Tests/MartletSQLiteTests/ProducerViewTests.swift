import Foundation
import GRDB
import MartletCore
import MartletSQLite
import MartletStore
import MartletTestSupport
import Testing

/// Applications enqueue in their own transactions, through a view.
@Suite struct ProducerViewTests {
    private func withApplication(_ body: (SQLiteStore, DatabaseQueue) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appendingPathComponent("app.db").path
            let store = try await SQLiteStore.open(SQLiteOptions(path: path))
            let application = try DatabaseQueue(path: path)
            try await body(store, application)
            try application.close()
            #expect(try await store.diagnose().filter { $0.check == "counters" }.map(\.level) == [.ok])
            await store.close()
        }
    }

    @Test func `a job enqueued with an application's change comes and goes with it`() async throws {
        try await withApplication { store, application in
            try await application.write { db in
                try db.execute(sql: "create table orders (id integer)")
                try db.execute(sql: "insert into orders values (1)")
                try db.execute(
                    sql: "insert into martlet_enqueue (kind, args, queue, priority) values ('mail', '{\"to\": 1}', 'out', 3)"
                )
            }
            struct Rollback: Error {}
            await #expect(throws: Rollback.self) {
                try await application.write { db in
                    try db.execute(sql: "insert into martlet_enqueue (kind) values ('mail')")
                    throw Rollback()
                }
            }
            let worker = try await store.register(.testing("w", kinds: ["mail"]))
            let jobs = try await store.claim(.testing(worker, kinds: ["mail"])).flatMap(\.jobs)
            #expect(jobs.map(\.args.string) == ["{\"to\": 1}"])
        }
    }

    @Test func `a time makes it scheduled`() async throws {
        try await withApplication { store, application in
            try await application.write { db in
                try db.execute(
                    sql:
                        "insert into martlet_enqueue (kind, run_at) values ('mail', cast((julianday('now') - 2440586.5) * 86400000000 as integer))"
                )
            }
            #expect(try await store.stats().counts[.scheduled] == 1)
            #expect(try await store.stats().counts[.available] == 0)
        }
    }

    @Test(arguments: ["'2026-12-24T18:00:00Z'", "'soon'", "4000000000000", "1.5", "-1"])
    func `a time that is not in microseconds is refused`(_ time: String) async throws {
        try await withApplication { store, application in
            let error = await #expect(throws: DatabaseError.self) {
                try await application.write {
                    try $0.execute(sql: "insert into martlet_enqueue (kind, run_at) values ('a', \(time))")
                }
            }
            #expect(error?.message?.hasPrefix("run_at:") == true)
            let counts = try await store.stats().counts
            #expect(counts.values.max() == 0)
        }
    }

    @Test(arguments: [
        ("values (null, '{}', null, null, null)", "kind"), ("values ('a b', '{}', null, null, null)", "kind"),
        ("values ('a', '{', null, null, null)", "args"), ("values ('a', '{}', 'q q', null, null)", "queue"),
        ("values ('a', '{}', null, 10, null)", "priority"), ("values ('a', '{}', null, null, 0)", "max_attempts"),
    ])
    func `what cannot be used is refused by name`(_ values: String, _ field: String) async throws {
        try await withApplication { store, application in
            let error = await #expect(throws: DatabaseError.self) {
                try await application.write { db in
                    try db.execute(sql: "insert into martlet_enqueue (kind, args, queue, priority, max_attempts) \(values)")
                }
            }
            #expect(error?.message?.hasPrefix(field + ":") == true)
            let counts = try await store.stats().counts
            #expect(counts.values.max() == 0)
        }
    }

    @Test func `an application says until when a job may be started`() async throws {
        try await withApplication { store, application in
            try await application.write { db in
                try db.execute(
                    sql: """
                        insert into martlet_enqueue (kind, run_at, expires_at)
                        values ('mail', null, 4070908800000000), ('mail', 4070908700000000, 4070908800000000)
                        """)
            }
            for job in try await store.list(JobQuery()).jobs {
                #expect(try await store.job(job.id)?.expiry?.at.rfc3339 == "2099-01-01T00:00:00.000Z")
            }
            #expect(try await store.stats().counts[.scheduled] == 1)
            for values in ["null, '2099'", "null, 1", "4070908800000000, 4070908800000000"] {
                let error = await #expect(throws: DatabaseError.self) {
                    try await application.write {
                        try $0.execute(
                            sql: "insert into martlet_enqueue (kind, run_at, expires_at) values ('mail', \(values))")
                    }
                }
                #expect(error?.message?.hasPrefix("expires_at:") == true)
            }
        }
    }
}
