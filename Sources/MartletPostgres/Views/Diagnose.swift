import MartletCore
import MartletPQ
import MartletStore

/// What `martlet doctor` looks at on this engine.
enum Diagnose {
    static func run(_ workers: [WorkerSummary], _ database: Database) async throws(StoreError) -> [Finding] {
        let status = try await Schema.status(database)
        var findings = [Finding("schema", .ok, "version \(status.current) of \(status.latest)")]
        findings += try await server(database)
        if database.client.isPooled {
            findings.append(
                Finding(
                    "pooler", .note,
                    "a pooler lends sessions for one transaction: workers find new jobs by polling, unless --listen-database "
                        + "names the server's own address"))
        }
        findings.append(try await snapshots(database))
        findings.append(try await restored(database))
        findings.append(try await audit(database))
        findings.append(try await expired(database))
        findings.append(silent(workers))
        return findings
    }

    private static func server(_ database: Database) async throws(StoreError) -> [Finding] {
        let rows = try await database.run(
            .once(
                """
                select current_setting('server_version'), current_setting('fsync') = 'on',
                  current_setting('synchronous_commit'), pg_is_in_recovery()
                """))
        var findings = [Finding("server", .ok, "PostgreSQL \(rows.text(0, 0))")]
        if !rows.bool(0, 1) {
            findings.append(Finding("fsync", .warning, "off: a power loss can damage everything in this server"))
        }
        if rows.text(0, 2) == "off" {
            findings.append(
                Finding("synchronous_commit", .warning, "off: a crash can lose the last enqueues and settlements"))
        }
        if rows.bool(0, 3) { findings.append(Finding("server", .problem, "a standby: nothing can be written here")) }
        return findings
    }

    /// Old transactions keep vacuum from cleaning up, here and in every other table.
    private static func snapshots(_ database: Database) async throws(StoreError) -> Finding {
        let rows = try await database.run(
            .once(
                """
                select pid, coalesce(application_name, ''), extract(epoch from now() - xact_start)::int8 from pg_stat_activity
                where xact_start < now() - interval '10 minutes' and pid <> pg_backend_pid() order by xact_start limit 1
                """))
        guard !rows.isEmpty else { return Finding("transactions", .ok, "none is older than 10 minutes") }
        return Finding(
            "transactions", .note,
            "process \(rows.int(0, 0)) (\(rows.text(0, 1))) has had a transaction open for \(rows.int(0, 2)) s: retention waits for "
                + "it, claims do not")
    }

    /// Transaction ids mean nothing in another cluster.
    private static func restored(_ database: Database) async throws(StoreError) -> Finding {
        let schema = database.place.quoted
        let rows = try await database.run(.once("select \(schema).is_home(), \(schema).is_ahead()"))
        switch (rows.bool(0, 0), rows.bool(0, 1)) {
        case (true, false):
            return Finding("cluster", .ok, "the cursors belong to this cluster")
        case (false, _):
            return Finding(
                "cluster", .problem,
                "the queue was restored from a dump, and its cursors mean nothing in this cluster; nobody can enqueue or work: "
                    + "stop all workers and run martlet repair rebase")
        case (true, true):
            return Finding(
                "cluster", .problem,
                "the server's transaction counter was set back, so new jobs may be passed over: stop all workers and run "
                    + "martlet repair rebase")
        }
    }

    private static func audit(_ database: Database) async throws(StoreError) -> Finding {
        let rows = try await database.run(.once("select * from \(database.place.quoted).audit() limit 5"))
        guard !rows.isEmpty else { return Finding("counters", .ok, "every job is where its state says") }
        return Finding("counters", .problem, (0..<rows.count).map { rows.text($0, 0) }.joined(separator: "; "))
    }

    private static func expired(_ database: Database) async throws(StoreError) -> Finding {
        let schema = database.place.quoted
        let rows = try await database.run(
            .once(
                """
                select la.queue, la.kind, count(*) from \(schema).job j join \(schema).lane la on la.id = j.lane
                where j.expires_at <= \(schema).clock()
                  and not \(schema).is_claimed(
                    (select l from \(schema).lease l where l.lane between j.lane and j.lane order by l.lane desc, l.id desc limit 1),
                    j.xid, j.position)
                  and not exists (select 1 from \(schema).tombstone t where t.lane = j.lane and t.position = j.position)
                group by la.queue, la.kind order by la.queue, la.kind
                """))
        return .expired((0..<rows.count).map { (rows.text($0, 0), rows.text($0, 1), Int(rows.int($0, 2))) })
    }

    private static func silent(_ workers: [WorkerSummary]) -> Finding {
        let silent = workers.filter { !$0.alive }
        guard !silent.isEmpty else { return Finding("workers", .ok, "none is overdue") }
        let names = silent.map { "\($0.name) (\($0.running) jobs)" }.joined(separator: ", ")
        return Finding(
            "workers", .warning, "silent for longer than their lease: \(names); any running worker takes their jobs over")
    }
}
