import ArgumentParser
import Glibc
import Logging
import MartletCore
import MartletStore
import MartletWorker

struct WorkerCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Run jobs as martlet.yaml says, until told to stop.",
        usage: "martlet worker [<options>]",
        discussion: """
            SIGTERM and SIGINT stop gracefully: no new jobs, and running ones may finish within --grace; then they get SIGTERM, \
            and SIGKILL 5s later. What was not done runs again, here or elsewhere. A second signal ends at once. While \
            the database is away a worker says so, tries on, and ends within seconds when it is told to and nothing runs.

            With more memory than max_memory it lets running jobs end, too, and then starts itself again: same process, same \
            arguments.

            A command gets args as JSON on standard input. Exit status 0 completes the job, and standard output is its result; \
            75 asks for another attempt; anything else is an error. Both cost an attempt.

            An http kind sends args as the body of a request. Status 2xx completes the job, and the answer is its result; 408, \
            429 and 5xx ask for another attempt, not before Retry-After; any other is an error, and final. Redirects are not \
            followed, private addresses refused.

            MARTLET.YAML, all keys with their defaults or an example; only kinds must be there:

            \(WorkerFile.reference.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n"))

            EXAMPLES:
              martlet worker
              martlet worker --config images.yaml --concurrency 4 --queues a,b
              martlet worker --drain --fail-on-error
            """)

    @OptionGroup var options: WorkerOptions
    @OptionGroup var database: DatabaseOptions

    func execute(_ console: Console) async throws -> ExitStatus {
        let file = try readFile()
        let choice = try database.choice(console, file: file.database, named: fileName)
        let settings = try WorkerSettings(options, file, database: choice.url, environment: console.environment)
        let handlers = try settings.kinds.map { kind throws(InvalidInput) in
            try kind.handler(file: fileName, environment: console.environment)
        }
        let log = try DaemonLog(options, console)
        log.warn(about: settings.kinds, environment: console.environment)
        // Before the first job starts, so that no signal falls between.
        let signals = await console.trapSignals?()
        let store = try await open(settings, choice, log)
        let run = WorkerRun(settings: settings, handlers: handlers, store: store, log: log, logsArgs: options.logArgs)
        let result: Result<WorkerRun.End, any Error>
        do {
            result = .success(try await run.untilStopped(by: signals))
        } catch {
            result = .failure(error)
        }
        await store.close()
        log.sink.show(status: "")
        log.sink.flush()
        let end = try result.get()
        let hasFailed = end.tally.failed > 0 || console.environment[SelfRestart.failedVariable] != nil
        if let excess = end.excess {
            SelfRestart.letSignalsThrough()
            // One that was trapped just before is on its way to those who heed it.
            try await Task.sleep(for: .milliseconds(50))
            if run.wasAskedToStop { return options.failOnError && hasFailed ? .failed : .done }
            let reason = SelfRestart.perform(arguments: CommandLine.arguments, failed: hasFailed)
            throw Failure(.failed, "\(excess.description); it could not start itself: \(reason)")
        }
        return options.failOnError && hasFailed ? .failed : .done
    }

    private func open(
        _ settings: WorkerSettings, _ choice: DatabaseChoice, _ log: DaemonLog
    ) async throws -> any JobStore {
        do {
            return try await OpenStore.open(
                settings.database, .creating, listening: settings.listening,
                remark: { [logger = log.logger] text in logger.notice("\(text)") },
                created: { path in log.logger.notice("created the database", metadata: ["path": "\(path)"]) })
        } catch let failure as Failure {
            throw choice.explain(failure)
        }
    }

    private var fileName: String { options.config ?? WorkerFile.standardName }

    private func readFile() throws -> WorkerFile {
        let name = fileName
        do {
            return try WorkerFile(parsing: try SmallFile.read(name, limit: 1 << 20, field: "--config"), file: name)
        } catch let error as SmallFile.Missing where options.config == nil {
            throw Failure(
                .usage,
                "no \(WorkerFile.standardName) in this directory (\(error.reason)); --config names another. For example:\n\n\(WorkerFile.example)"
            )
        } catch let error as SmallFile.Missing {
            throw InvalidInput(field: "--config", reason: "cannot read \(name): \(error.reason)")
        }
    }
}
