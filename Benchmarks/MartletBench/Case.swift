import Foundation

/// One thing that is measured: `sqlite.drain`, `pg.pickup`.
struct Case: Sendable {
    let name: String
    /// For those who choose.
    let what: String
    let run: @Sendable (Bench) async throws -> Void

    init(_ name: String, _ what: String, _ run: @escaping @Sendable (Bench) async throws -> Void) {
        self.name = name
        self.what = what
        self.run = run
    }

    /// In the order they are run.
    static let all = sqlite + Growth.sqlite + running + postgres + Growth.postgres

    private static let sqlite = [
        Case("sqlite.enqueue", "bulk enqueue of 1 M jobs", Throughput.enqueueCase),
        Case("sqlite.single", "64 tasks that enqueue one job at a time", Throughput.singleCase),
        Case("sqlite.drain", "drain of 1 M waiting no-op jobs", Throughput.drainCase),
        Case("sqlite.processes", "4 producer processes and 2 workers, against one process that does both", Processes.run),
        Case("sqlite.pickup", "from an enqueue to the handler in another, idle process", PickUp.sqliteCase),
        Case("sqlite.http", "100 HTTP jobs and a slow server", HTTPJobs.sqliteCase),
        Case("sqlite.idle", "processor time and memory of an idle daemon", Idle.sqliteCase),
        Case("sqlite.process", "one martlet enqueue, the whole process", OneEnqueue.sqliteCase),
        Case("sqlite.large", "commands that look, with 2 M jobs in the database", LargeDatabase.largeCase),
        Case("sqlite.peers.drain", "enqueue and drain beside other queues on SQLite", SQLitePeers.drainCase),
        Case("sqlite.peers.pickup", "pick-up beside other queues on SQLite", SQLitePeers.pickUpCase),
        Case("sqlite.soak", "jobs of all sorts at a steady pace, for --minutes: memory, file, WAL", Soak.sqliteCase),
    ]

    /// How jobs are run, whatever the engine; on SQLite.
    private static let running = [
        Case("run.waits", "jobs that wait side by side, against the longest of them", ManyWaits.run),
        Case("run.threads", "jobs that block, on 10 and on 20 threads of their own", Blocking.threads),
        Case("run.rude", "coroutines that block for longer than the lease", Blocking.rude),
        Case("run.children", "hand-over to warm children, commands, two children against one", Children.run),
        Case("run.inflight", "200 000 jobs that wait at the same time: memory, threads", InFlight.run),
        Case("run.auto", "concurrency: auto beside fixed limits", Adapting.run),
    ]

    private static let postgres = [
        Case("pg.drain", "drain of 1 M waiting jobs beside the raw functions", PostgresDrain.run),
        Case("pg.enqueue", "bulk enqueue of 1 M jobs beside a raw COPY", PostgresEnqueue.run),
        Case("pg.single", "64 tasks that enqueue one job at a time beside pgbench's inserts", PostgresSingle.run),
        Case("pg.pickup", "pick-up beside a durable commit with a notification", PickUp.postgresCase),
        Case("pg.producers", "16 SQL clients that enqueue, without and with a busy worker", PostgresProducers.run),
        Case("pg.table.drain", "drain beside a table that is locked and updated", LockAndUpdate.run),
        Case("pg.workers", "200 connections that claim from one lane, against 4", ManyWorkers.run),
        Case("pg.backlog", "claims and commands with 10 M jobs waiting, against 100 k", Backlog.run),
        Case("pg.process", "one martlet enqueue, the whole process", OneEnqueue.postgresCase),
        Case("pg.steady", "enqueue and run at the same time, for --minutes", Steady.steadyCase),
        Case("pg.snapshot", "the same while another session holds a snapshot open", Steady.snapshotCase),
        Case("pg.table.steady", "a table that is locked and updated, at the same work", LockAndUpdate.steadyCase),
        Case("pg.chunks", "raw functions and such a table against jobs a claim", Chunks.run),
        Case("pg.concurrency", "one worker against jobs at a time", Concurrency.run),
        Case("pg.idle", "processor time, memory and queries of an idle daemon", Idle.postgresCase),
        Case("pg.fleet", "more workers, databases and servers", Fleet.run),
        Case("pg.peers.drain", "enqueue and drain beside other queues on PostgreSQL", PostgresPeers.drainCase),
        Case("pg.peers.pickup", "pick-up beside other queues on PostgreSQL", PostgresPeers.pickUpCase),
        Case("pg.soak", "jobs of all sorts at a steady pace, for --minutes: memory, files, WAL", Soak.postgresCase),
    ]

    /// - Parameter words: names, or the beginnings of names: `pg`, `sqlite.drain`. None: all.
    static func chosen(by words: [String]) throws -> [Case] {
        for word in words where !all.contains(where: { $0.answers(to: word) }) { throw UsageMistake("unknown case \(word)") }
        return words.isEmpty ? all : all.filter { one in words.contains(where: one.answers) }
    }

    private func answers(to word: String) -> Bool { name == word || name.hasPrefix(word + ".") }
}
