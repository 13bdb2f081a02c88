import ArgumentParser
import Glibc
import Logging
import Martlet
import MartletCore
import MartletStore
import Synchronization

struct BenchCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure this machine with this database, without touching its jobs.",
        discussion: """
            Enqueues jobs of its own, runs them in this process, and takes them out of the database again:

              enqueue    in batches, and one by one from many tasks
              drain      jobs that do nothing, with one worker of the library
              latency    from enqueueing, over another connection, to the
                         start of the run by a worker that was idle
              in-flight  jobs that wait at the same time: how quickly they
                         start, and what memory they take

            Its jobs are of the kind martlet-bench, in queues called martlet-bench-… that no other worker takes from. No other \
            job is touched, and no history goes early. What else works with the database is slower meanwhile, and so it asks \
            first. Ctrl-C stops it and removes what it made. After a kill -9 the next bench does, or --clean.

            On PostgreSQL its user needs the role of a worker. What it deleted goes from the disk as vacuum gets to it.

            With --json: {"bench", "version", "at", "machine", "database": {"url", "engine", "settings", "round_trip_ms"}, \
            "besides": {"workers", "available", "running"}, "options", "results", "removed", "bytes_before", "bytes_after"}; results \
            has for each case its figures, each {"unit", "median", "least", "most", "values"}. --clean: {"removed": [name], \
            "jobs", "alive": [name]}.

            EXAMPLES:
              martlet bench
              martlet bench --only drain,latency --jobs 200000 --runs 5
              martlet bench --yes --json > bench.json
              martlet bench --clean
            """)

    @OptionGroup(title: "Bench Options") var options: BenchOptions

    @Flag(help: "Measure nothing; remove what benches left that were killed.")
    var clean = false

    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false

    @OptionGroup var format: FormatOptions
    @OptionGroup var database: DatabaseOptions

    func execute(_ console: Console) async throws -> ExitStatus {
        let plan = try options.plan()
        let choice = try database.choice(console)
        return try await withStores(console) { store, other in
            guard !clean else { return try await sweep(store, console) }
            return try await measure(plan, choice, store, other, console)
        }
    }

    /// Two openings: this program's, and one as another program has.
    private func withStores(
        _ console: Console, _ body: (any BenchStore, any BenchStore) async throws -> ExitStatus
    ) async throws -> ExitStatus {
        let store = try await database.with(console) { url in try await OpenStore.bench(url) }
        let result: Result<ExitStatus, any Error>
        do {
            let other = try await database.with(console) { url in try await OpenStore.bench(url) }
            do {
                result = .success(try await body(store, other))
            } catch {
                result = .failure(error)
            }
            await other.close()
        } catch {
            result = .failure(error)
        }
        await store.close()
        return try result.get()
    }

    private func sweep(_ store: any BenchStore, _ console: Console) async throws -> ExitStatus {
        let sweep = try await BenchRemoval.sweep(store)
        if format.json {
            try console.output.write(JSONWriter(sweep: sweep))
        } else {
            try console.output.write(
                sweep.removed.isEmpty
                    ? "nothing to remove\n"
                    : "removed \(sweep.removed.map(\.description).joined(separator: ", ")): \(Counted.jobs(sweep.jobs))\n")
        }
        try warn(about: sweep, console)
        return sweep.alive.isEmpty ? .done : .refused
    }

    private func warn(about sweep: BenchRemoval.Sweep, _ console: Console) throws {
        for name in sweep.alive {
            try console.say(
                "martlet: \(name) is at work, or was within the last 30s, and is left alone; once it is not, `martlet bench --clean` removes it"
            )
        }
    }

    // MARK: Measuring

    private func measure(
        _ plan: BenchPlan, _ choice: DatabaseChoice, _ store: any BenchStore, _ other: any BenchStore, _ console: Console
    ) async throws -> ExitStatus {
        let shown = SafeText.line(choice.url.located.text)
        let before = try await store.benchSurroundings()
        try confirm(plan, shown, before, console)
        let sweep = try await BenchRemoval.sweep(store)
        if !sweep.removed.isEmpty {
            try console.say("removed what an earlier bench had left: \(Counted.jobs(sweep.jobs))")
        }
        try warn(about: sweep, console)
        let name = BenchName.random()
        let session = BenchSession(
            plan: plan, name: name, store: store, other: other, console: console,
            remedy: "`martlet bench --clean\(database.argument)` removes what is left of \(name)")
        let end = try await session.run()
        guard let signal = end.signal else {
            let report = BenchReport(
                plan: plan, name: name, at: console.now(), machine: .own(), database: shown,
                conditions: try await store.conditions(), roundTrip: end.roundTrip, before: before, results: end.results,
                removed: end.removed, bytesAfter: try await store.benchSurroundings().bytes)
            if format.json {
                try console.output.write(JSONWriter(bench: report))
            } else {
                try console.output.write(report.text(on: console.output))
            }
            return .done
        }
        try console.say("martlet: stopped; \(Counted.jobs(end.removed)) of \(name) removed")
        return signal == SIGTERM ? .terminated : .interrupted
    }

    private func confirm(
        _ plan: BenchPlan, _ shown: String, _ found: BenchSurroundings, _ console: Console
    ) throws {
        let besides = found.isQuiet ? "" : " Besides: \(found.text); all of it is slower meanwhile."
        let what =
            "up to \(Counted.jobs(plan.mostJobs)) of its own, \(Counted.grouped(plan.mostAtATime)) at a time, in \(shown)"
        guard !yes else { return try console.say("martlet bench: \(what)") }
        guard let answer = console.answer else {
            throw Failure(.refused, "nothing was done: add --yes to enqueue and run \(what).\(besides)")
        }
        try console.errors.write("martlet bench enqueues, runs and removes \(what).\(besides) Go on? [y/N] ")
        guard let said = answer()?.lowercased(), said == "y" || said == "yes" else {
            throw Failure(.refused, "nothing was done")
        }
    }
}
