import ArgumentParser
import Glibc
import Logging
import MartletCore
import MartletStore
import MartletWorker

struct WorkerCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Run jobs as martlet.yaml says, until told to stop.",
        discussion: """
            SIGTERM and SIGINT stop gracefully: no new jobs, and running ones may
            finish within --grace. A second signal stops at once. What was not done
            runs again elsewhere.

            A martlet.yaml:
              database: sqlite:martlet.db
              concurrency: 8
              retention: { completed: 24h, failed: 30d }
              kinds:
                resize:
                  # args come as JSON on standard input; there is no shell
                  command: [convert, "-", -resize, 200x, "png:-"]
                  timeout: 30s
                  concurrency: 4
                  # or { delays: [1s, 10s, 5m] }
                  retry: { max: 5, base: 2s, cap: 1h, jitter: 0.2 }
                  # passed on from here; or { NAME: value }
                  environment: [API_TOKEN]
                  directory: /srv/images
            """)

    @OptionGroup var options: WorkerOptions
    @OptionGroup var database: DatabaseOptions

    private static let defaultFile = "martlet.yaml"

    func execute(_ console: Console) async throws -> ExitStatus {
        let file = try readFile()
        let settings = try WorkerSettings(options, file, database: try database.url(console, file: file.database))
        let log = try DaemonLog(options, console)
        log.warn(about: settings.kinds, environment: console.environment)
        let store = try await OpenStore.open(settings.database, .creating)
        let run = WorkerRun(settings: settings, store: store, log: log, logsArgs: options.logArgs)
        let result: Result<WorkerTally, any Error>
        do {
            result = .success(try await run.untilStopped())
        } catch {
            result = .failure(error)
        }
        await store.close()
        log.sink.show(status: "")
        log.sink.flush()
        let tally = try result.get()
        return options.failOnError && tally.failed > 0 ? .failed : .done
    }

    private func readFile() throws -> WorkerFile {
        let name = options.config ?? Self.defaultFile
        do {
            return try WorkerFile(parsing: try SmallFile.read(name, limit: 1 << 20, field: "--config"), file: name)
        } catch let error as SmallFile.Missing where options.config == nil {
            throw Failure(
                .usage,
                "no \(Self.defaultFile) in this directory (\(error.reason)); --config names another. For example:\n\n\(WorkerFile.example)"
            )
        } catch let error as SmallFile.Missing {
            throw InvalidInput(field: "--config", reason: "cannot read \(name): \(error.reason)")
        }
    }
}
