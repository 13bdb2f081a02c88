import Foundation

/// One thing that is measured: `sqlite.drain`, `pg.pickup`.
struct Case: Sendable {
    let name: String
    let run: @Sendable (Bench) async throws -> Void

    init(_ name: String, _ run: @escaping @Sendable (Bench) async throws -> Void) {
        self.name = name
        self.run = run
    }

    /// In the order they are run.
    static let all = sqlite + running + postgres

    private static let sqlite = [
        Case("sqlite.enqueue", Throughput.enqueueCase), Case("sqlite.single", Throughput.singleCase),
        Case("sqlite.drain", Throughput.drainCase), Case("sqlite.processes", Processes.run),
        Case("sqlite.pickup", PickUp.sqliteCase),
        Case("sqlite.http", HTTPJobs.sqliteCase), Case("sqlite.idle", Idle.sqliteCase),
        Case("sqlite.process", LargeDatabase.processCase),
        Case("sqlite.large", LargeDatabase.largeCase),
        Case("sqlite.peers.drain", SQLitePeers.drainCase), Case("sqlite.peers.pickup", SQLitePeers.pickUpCase),
        Case("sqlite.growth", Growth.sqliteCase), Case("sqlite.soak", Soak.sqliteCase),
    ]

    /// How jobs are run, whatever the engine; on SQLite.
    private static let running = [
        Case("run.waits", ManyWaits.run), Case("run.threads", Blocking.threads), Case("run.rude", Blocking.rude),
        Case("run.children", Children.run), Case("run.inflight", InFlight.run),
        Case("run.auto", Adapting.run),
    ]

    private static let postgres = [
        Case("pg.drain", PostgresDrain.run), Case("pg.enqueue", PostgresEnqueue.run), Case("pg.single", PostgresSingle.run),
        Case("pg.pickup", PickUp.postgresCase), Case("pg.producers", PostgresProducers.run),
        Case("pg.table.drain", LockAndUpdate.run), Case("pg.workers", ManyWorkers.run), Case("pg.backlog", Backlog.run),
        Case("pg.steady", Steady.steadyCase), Case("pg.snapshot", Steady.snapshotCase),
        Case("pg.table.steady", LockAndUpdate.steadyCase), Case("pg.chunks", Chunks.run),
        Case("pg.concurrency", Concurrency.run), Case("pg.idle", Idle.postgresCase),
        Case("pg.fleet", Fleet.run),
        Case("pg.peers.drain", PostgresPeers.drainCase), Case("pg.peers.pickup", PostgresPeers.pickUpCase),
        Case("pg.growth", Growth.postgresCase), Case("pg.soak", Soak.postgresCase),
    ]

    /// - Parameter words: names, or the beginnings of names: `pg`, `sqlite.drain`. None: all.
    static func chosen(by words: [String]) throws -> [Case] {
        for word in words where !all.contains(where: { $0.answers(to: word) }) {
            throw Failure("no case \(word); there are \(all.map(\.name).joined(separator: ", "))")
        }
        return words.isEmpty ? all : all.filter { one in words.contains(where: one.answers) }
    }

    private func answers(to word: String) -> Bool { name == word || name.hasPrefix(word + ".") }
}
